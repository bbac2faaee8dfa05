/*
 * dynamodb: DynamoDB's JSON protocol: attribute values, calls, pages, and the units that calls consume. Used
 * by the files of the DynamoDB store only.
 */
#ifndef VIEWS_DYNAMODB_ATTRIBUTES_H
#define VIEWS_DYNAMODB_ATTRIBUTES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/client.h"
#include "views/position.h"

/* Attribute values: new references. */
json_t *dynamodb_s(const char *value);
json_t *dynamodb_n(int64_t value);
json_t *dynamodb_b(const void *data, size_t length);

/* Attributes of an item (which may be NULL): false or NULL, and nothing is set, if it is missing or not such
 * a value: a text without NULs; a whole number that fits; at most `max` bytes. */
const char *dynamodb_get_s(const json_t *item, const char *name);
bool dynamodb_get_n(const json_t *item, const char *name, int64_t *value);
bool dynamodb_get_b(const json_t *item, const char *name, uint8_t *bytes, size_t max, size_t *length);

/* As dynamodb_get_n, but true also if it is missing: then nothing is set. */
bool dynamodb_get_optional_n(const json_t *item, const char *name, int64_t *value);

/* Adds a placeholder to the body of a request. Every attribute name goes through one: DynamoDB reserves some
 * 570 words. `value` is stolen. */
void dynamodb_name(json_t *body, const char *placeholder, const char *attribute);
void dynamodb_value(json_t *body, const char *placeholder, json_t *value);

/* Fills `call` with `body` (stolen), and asks for the consumed capacity. Ends with dynamodb_call_deinit. */
void dynamodb_call_init(struct aws_call *call, const char *operation, json_t *body);
void dynamodb_call_deinit(struct aws_call *call);

/* Runs them all and counts their units. */
void dynamodb_run(struct aws_client *client, struct aws_call *calls, size_t n, const struct aws_run *run);

/* One call from body (stolen) to reply (the caller's, NULL unless OK). */
enum status dynamodb_once(struct aws_client *client, const char *operation, json_t *body,
                          const struct aws_run *run, json_t **reply, struct error *e);

/* The body of a GetItem, strongly consistent; `key` is stolen. */
json_t *dynamodb_get_body(const char *table, json_t *key);

/* The item under `key` (stolen): a new reference, NULL if there is none. */
enum status dynamodb_get_item(struct aws_client *client, const char *table, json_t *key,
                              const struct aws_run *run, json_t **item, struct error *e);

/* The units of a ConsumedCapacity (may be NULL); at most LIMIT_DYNAMODB_UNITS. */
double dynamodb_units(const json_t *consumed);

/* Makes `body` ask for the page after `reply`. False at the end, which only a missing LastEvaluatedKey marks:
 * a page may be empty. */
bool dynamodb_next_page(json_t *body, const json_t *reply);

#endif
