/*
 * aws/credentials/process: runs the program of a credential_process and reads its output, with bounds on
 * everything.
 *
 * There is no shell, so nothing is expanded, substituted, redirected or chained: the command line is only
 * split into words. The program is found by PATH. It has no standard input, none of our other descriptors,
 * its own process group, and default signals. If it takes too long or the fetch is stopped, it is killed with
 * its group. Processes that it leaves in the background after it ended well are not touched. A program that
 * cannot be killed (it runs as another user) is abandoned after LIMIT_PROCESS_DEATH_MS. The error names it.
 * While LIMIT_PROCESS_LEFT of them still run, no other is started.
 */
#ifndef AWS_CREDENTIALS_PROCESS_H
#define AWS_CREDENTIALS_PROCESS_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * Splits a command line into words as botocore does (SDKs and Tools Reference Guide, "Process credential
 * provider"): at blanks, but not within single or double quotes. A backslash escapes the next character;
 * within double quotes only " and \, within single quotes none. `words` ends with a NULL:
 * aws_process_free_words. INVALID if a quote is not closed, there is no word, or there are more than
 * LIMIT_PROCESS_ARGUMENTS. Pure.
 */
enum status aws_process_split(const char *line, char ***words, struct error *e);
void aws_process_free_words(char ***words);

/*
 * Runs the program to its end. `output` gets its standard output, up to the maximum of the buffer. One
 * call at a time: the chain makes one fetch at a time. FAILED, with the start of its standard error, if it
 * cannot be started, exits with another status than 0, writes too much, takes longer than `timeout_ms`, or
 * `stop_fd` became readable (code "Cancelled"; -1: never). Errors never quote its standard output.
 */
enum status aws_process_run(char *const words[], int timeout_ms, int stop_fd, struct buffer *output,
                            struct error *e);

#endif
