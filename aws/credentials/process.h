/*
 * aws/credentials/process: runs a program for what it writes, as credential_process wants it, with bounds on
 * everything.
 *
 * No shell is involved, so nothing is expanded, substituted, redirected or chained: the command line is only
 * cut into words. The program is found by PATH, has no standard input, none of our other descriptors, its own
 * process group, and default signals. It is killed with its group if it takes too long or is not wanted any
 * more; what it leaves running in the background after it ended well is its own affair. One that cannot be
 * killed, because it runs as another user, is left behind after LIMIT_PROCESS_DEATH_MS, and the error says
 * so; while it runs, no other is started.
 */
#ifndef AWS_CREDENTIALS_PROCESS_H
#define AWS_CREDENTIALS_PROCESS_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * Cuts a command line into words, as the SDKs say (SDKs and Tools Reference Guide, "Process credential
 * provider") and botocore does: at blanks, but not between single or double quotes; a backslash takes the
 * next character as it is, between double quotes only before " and \, between single ones never. `words` has
 * a NULL after the last: aws_process_free_words. INVALID if a quote is not closed, there is no word, or there
 * are more than LIMIT_PROCESS_ARGUMENTS. Pure.
 */
enum status aws_process_split(const char *line, char ***words, struct error *e);
void aws_process_free_words(char ***words);

/*
 * Runs it to its end. `output` gets what it wrote to its standard output, whose maximum is the buffer's. Any
 * thread. FAILED, and why, with the start of what it wrote to its standard error, if it cannot be started,
 * ends with another status than 0, writes too much, takes longer than `timeout_ms`, or `stop_fd` became
 * readable (code "Cancelled"; -1: never). Never quotes its standard output.
 */
enum status aws_process_run(char *const words[], int timeout_ms, int stop_fd, struct buffer *output,
                            struct error *e);

#endif
