#include "aws/stream_arn.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { ACCOUNT_DIGITS = 12, NAME_MAX = 128, ARN_SIZE = 512 };
enum part { ARN, PARTITION, SERVICE, REGION, ACCOUNT, RESOURCE, PARTS };

bool aws_stream_arn_is(const char *text) {
    return strncmp(text, "arn:", 4) == 0;
}

bool aws_region_is_valid(const char *region) {
    size_t n = strlen(region);
    return n > 0 && n < AWS_REGION_SIZE && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* Cuts `copy` at its colons. A part that is not there is "". */
static void split(char *copy, char *parts[PARTS]) {
    for (int i = 0; i < PARTS; i++) {
        parts[i] = copy;
        copy += strcspn(copy, i == RESOURCE ? "" : ":");
        if (*copy)
            *copy++ = '\0';
    }
}

static bool is_stream(const char *resource) {
    const char *name = resource + strlen("stream/");
    if (strncmp(resource, "stream/", strlen("stream/")) != 0)
        return false;
    size_t n = strlen(name);
    return n > 0 && n <= NAME_MAX && strspn(name, TEXT_NAME_CHARACTERS) == n;
}

/* The part that is wrong, in words; NULL if none is. */
static const char *find_mistake(char *const parts[PARTS]) {
    if (strncmp(parts[PARTITION], "aws", 3) != 0)
        return "partition";
    if (strcmp(parts[SERVICE], "kinesis") != 0)
        return "service";
    if (!aws_region_is_valid(parts[REGION]))
        return "region";
    if (strlen(parts[ACCOUNT]) != ACCOUNT_DIGITS || strspn(parts[ACCOUNT], "0123456789") != ACCOUNT_DIGITS)
        return "account (12 digits)";
    return is_stream(parts[RESOURCE]) ? NULL : "stream (stream/NAME)";
}

enum status aws_stream_arn_region(const char *arn, char region[AWS_REGION_SIZE], struct error *e) {
    char copy[ARN_SIZE], *parts[PARTS];
    snprintf(copy, sizeof copy, "%s", arn);
    split(copy, parts);
    const char *mistake = strlen(arn) < sizeof copy ? find_mistake(parts) : "length";
    if (mistake)
        return error_set(e, STATUS_INVALID,
                         "'%s' is no ARN of a stream, its %s is wrong; it must be "
                         "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME",
                         arn, mistake);
    strcpy(region, parts[REGION]);
    return STATUS_OK;
}
