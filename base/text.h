/* text: strings that other programs and people wrote. Thread-safe. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>

/* What AWS allows in the names of tables and streams (DynamoDB API, TableName; Kinesis API, StreamName). */
#define TEXT_NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

/* A control character of ASCII: it could break a line, or command a terminal. */
static inline bool text_is_control(char c) {
    return (unsigned char)c < 0x20 || c == 0x7F;
}

/* Puts a blank in the place of each. */
static inline void text_blank_controls(char *text) {
    for (; *text; text++)
        if (text_is_control(*text))
            *text = ' ';
}

#endif
