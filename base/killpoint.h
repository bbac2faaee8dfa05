/*
 * killpoint: the places where a test can kill the process: right before and right after every write to a
 * store. Only builds with WINNER_VIEW_KILLPOINTS (the preset `kill`) have them; in all others KILLPOINT does
 * nothing.
 *
 * Two environment variables control them. Each point that is reached appends a line to the file
 * WINNER_VIEW_KILLPOINT_LOG. The point number WINNER_VIEW_KILLPOINT, counted from 1 over all threads, kills
 * the process by SIGKILL.
 */
#ifndef BASE_KILLPOINT_H
#define BASE_KILLPOINT_H

#ifdef WINNER_VIEW_KILLPOINTS

/* `side` is "before" or "after". `operation` and `text` are an AWS operation and its body, or "" and an SQL
 * statement. Reads are ignored. */
void killpoint_reached(const char *side, const char *operation, const char *text);
#define KILLPOINT(side, operation, text) killpoint_reached(side, operation, text)

#else

#define KILLPOINT(side, operation, text) ((void)0)

#endif
#endif
