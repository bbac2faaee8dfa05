/*
 * aws/json: writes the JSON of a request and reads that of a reply, as jansson does (JSON_COMPACT;
 * JSON_DECODE_ANY, JSON_ALLOW_NUL), several times as fast.
 *
 * jansson takes a text apart byte by byte. Services write objects that are plain: strings without
 * escapes, short numbers. Those are read here, eight bytes at a time, into jansson's own values. Anything
 * else, errors included, is for jansson: tests/fuzz/fuzz_aws_json.c compares the two.
 */
#ifndef AWS_JSON_H
#define AWS_JSON_H

#include <jansson.h>
#include <stddef.h>

/* `value` is only read. The text is the caller's to free; at most LIMIT_AWS_BODY_BYTES. */
char *aws_json_write(json_t *value, size_t *length);

/* A new reference; NULL: it is no JSON. */
json_t *aws_json_read(const char *text, size_t length);

/* The same for the plain form only; NULL: it is not plain. */
json_t *aws_json_read_plain(const char *text, size_t length);

#endif
