/*
 * status_line: a line at the bottom of a terminal that is written over again; used by log.c only, which
 * writes its lines above it. One thread at a time.
 *
 * It needs a terminal that can erase to the end of a line: "\r" and "\033[K" (ECMA-48, EL), which every
 * terminal but a dumb one has. It has no colour, so NO_COLOR changes nothing.
 *
 * A terminal that gets narrower may wrap the line anew (tmux), and then its upper rows stay. They are not
 * erased: where the terminal cuts it instead (xterm), those rows would be lines of the log.
 */
#ifndef BASE_STATUS_LINE_H
#define BASE_STATUS_LINE_H

#include <stdbool.h>

/* Whether standard error is such a terminal: TERM is set and not "dumb". */
bool status_line_is_possible(void);

/* Whether this process is in the terminal's foreground, or that is not known. What a shell has begun with "&"
 * must not write over what is typed. Safe in a signal handler. */
bool status_line_is_in_front(void);

/* Takes the line away, if it is there. In the background it is left to the shell, which writes below it. */
void status_line_erase(void);

/* Writes it, cut to the terminal's width less one: a line that fills it might begin a new one. `text` is
 * ASCII. "" is no line, and in the background there is none. After status_line_erase only. */
void status_line_draw(const char *text);

/* Begins a new line below it, unless that would wait. From any thread, and from a signal handler. */
void status_line_leave(void);

#endif
