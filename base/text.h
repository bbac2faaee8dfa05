/* text: strings that other programs and people wrote. Thread-safe. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* A code point that could break a line, command a terminal, or reorder the text around it: the Unicode
 * Character Database's general categories Cc, Zl and Zp, and its property Bidi_Control (UAX #9, section 2.6).
 * Others are left as they are: joiners spell words and emoji, and a letter that resembles another is a
 * letter. */
bool text_is_deceptive(uint32_t c);

/* True if nothing of the text is visible: all of it is deceptive, or has the property White_Space or
 * Default_Ignorable_Code_Point (Unicode Character Database), or is the empty braille pattern. "" is blank. */
bool text_is_blank(const char *text, size_t length);

/* The text with U+FFFD in the place of each deceptive code point, and of each byte that is not UTF-8; a new
 * string, the caller's. */
char *text_cleaned(const char *text, size_t length);

#endif
