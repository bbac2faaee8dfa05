#include "base/killpoint.h"

#ifdef WINNER_VIEW_KILLPOINTS

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_write(const char *text) {
    static const char *const writes[] = {"UpdateItem", "PutItem", "DeleteItem", "INSERT",
                                         "UPDATE",     "DELETE",  "COMMIT"};
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
        if (strncmp(text, writes[i], strlen(writes[i])) == 0)
            return true;
    return false;
}

static void append_line(const char *side, const char *operation, const char *text) {
    const char *path = getenv("WINNER_VIEW_KILLPOINT_LOG");
    char line[160];
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : -1;
    if (fd < 0)
        return;
    snprintf(line, sizeof line, "%s %s %.100s", side, operation, text);
    size_t length = strcspn(line, "\n"); /* a statement may have several lines */
    line[length] = '\n';
    if (write(fd, line, length + 1) < 0)
        abort();
    close(fd);
}

void killpoint_reached(const char *side, const char *operation, const char *text) {
    static atomic_long reached;
    const char *wanted = getenv("WINNER_VIEW_KILLPOINT");
    if (!is_write(*operation ? operation : text))
        return;
    append_line(side, operation, text);
    if (atomic_fetch_add(&reached, 1) + 1 == (wanted ? strtol(wanted, NULL, 10) : 0))
        kill(getpid(), SIGKILL);
}

#endif
