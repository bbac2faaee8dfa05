/* Wall mode. */

function startWall() {
}
