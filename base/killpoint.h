/*
 * killpoint: the places where a test can make the process die: right before and right after every write to a
 * store. Only a build with WINNER_VIEW_KILLPOINTS (the preset `kill`) has them; in any other, KILLPOINT is
 * nothing.
 *
 * There the environment says what happens: each point that is reached is a line at the end of the file
 * WINNER_VIEW_KILLPOINT_LOG, and the WINNER_VIEW_KILLPOINT-th of them, counted from 1 over all threads, is
 * the last thing that the process does: SIGKILL.
 */
#ifndef BASE_KILLPOINT_H
#define BASE_KILLPOINT_H

#ifdef WINNER_VIEW_KILLPOINTS

/* `side` is "before" or "after"; `operation` and `text` say of what: an AWS operation and its body, or "" and
 * a statement. Reads are passed over. */
void killpoint_reached(const char *side, const char *operation, const char *text);
#define KILLPOINT(side, operation, text) killpoint_reached(side, operation, text)

#else

#define KILLPOINT(side, operation, text) ((void)0)

#endif
#endif
