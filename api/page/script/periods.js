/* Periods: the switch between them. */

function followPeriods() {}
function periodNotKept() {}

/* What the boards are of: "all", the kind of a period under way, or the name of one. */
const shownPeriod = () => readPlace().period ?? "all";
