/* Progress while the view catches up. */

function showProgress() {}
