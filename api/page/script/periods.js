/* Periods: the switch between them. */

function followPeriods() {}
function periodNotKept() {}
