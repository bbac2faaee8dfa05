/*
 * list_shards: the input is the body of a reply of ListShards. The second opinion is jansson's unpacking,
 * with regular expressions of the AWS page for ids and hash keys. A shard that is written anew is the same
 * shard.
 */
#include <jansson.h>
#include <regex.h>

#include "aws/reply.h"
#include "aws/transport.h"
#include "ingest/kinesis/stream.h"
#include "tests/fuzz/fuzz.h"

struct text {
    const char *text;
    size_t length;
};

static bool matches(const char *pattern, regex_t *compiled, const struct text *t) {
    if (!compiled->re_nsub)
        FUZZ_CHECK(regcomp(compiled, pattern, REG_EXTENDED) == 0, "the C library");
    return strlen(t->text) == t->length && regexec(compiled, t->text, 0, NULL, 0) == 0;
}

/* As the page of the data type Shard has it: 1 to 128 characters. */
static bool is_id(const struct text *t) {
    static regex_t compiled;
    return t->length <= 128 && matches("^([a-zA-Z0-9_.-]+)$", &compiled, t);
}

/* As the page of the data type HashKeyRange has it. */
static bool is_hash_key(const struct text *t) {
    static regex_t compiled;
    return matches("^(0|[1-9][0-9]{0,38})$", &compiled, t);
}

/* Absent and null alike. False: it is of another type. */
static bool take_optional(json_t *object, const char *name, struct text *out) {
    json_t *value = json_object_get(object, name);
    *out = (struct text){json_string_value(value), json_string_length(value)};
    return !value || json_is_null(value) || json_is_string(value);
}

struct described {
    struct text id, parents[STORE_LEASE_PARENTS], from, to;
};

/* Whether it has what the service promises of a shard. */
static bool take_shard(json_t *json, struct described *d) {
    return json_unpack(json, "{s:s%,s:{s:s%,s:s%}}", "ShardId", &d->id.text, &d->id.length, "HashKeyRange",
                       "StartingHashKey", &d->from.text, &d->from.length, "EndingHashKey", &d->to.text,
                       &d->to.length) == 0 &&
           take_optional(json, "ParentShardId", &d->parents[0]) &&
           take_optional(json, "AdjacentParentShardId", &d->parents[1]);
}

static bool judge(json_t *reply) {
    json_t *shards = json_object_get(reply, "Shards"), *one;
    struct described d;
    struct text token;
    size_t i;
    json_array_foreach(shards, i, one) {
        if (!take_shard(one, &d))
            return false;
    }
    return json_is_array(shards) && take_optional(reply, "NextToken", &token);
}

static void check_hash_key(const struct text *t, const char *parsed) {
    FUZZ_CHECK(strcmp(parsed, is_hash_key(t) ? t->text : "") == 0, "'%s' became '%s'", t->text, parsed);
}

static void check_again(const struct source_shard *shard) {
    struct source_shard again;
    json_auto_t *json =
        json_pack("{s:s,s:{s:s,s:s},s:s?,s:s?}", "ShardId", shard->id, "HashKeyRange", "StartingHashKey",
                  shard->starting_hash_key, "EndingHashKey", shard->ending_hash_key, "ParentShardId",
                  *shard->parents[0] ? shard->parents[0] : NULL, "AdjacentParentShardId",
                  *shard->parents[1] ? shard->parents[1] : NULL);
    FUZZ_CHECK(kinesis_stream_parse_shard(json, &again), "'%s'", shard->id);
    FUZZ_CHECK(memcmp(shard, &again, sizeof again) == 0, "'%s'", shard->id);
}

static void check_shard(json_t *json) {
    struct described d;
    struct source_shard shard;
    FUZZ_CHECK(take_shard(json, &d), "it was promised");
    bool expected = is_id(&d.id);
    for (size_t p = 0; p < STORE_LEASE_PARENTS; p++)
        expected = expected && (!d.parents[p].text || is_id(&d.parents[p]));
    /* GetRecords names the parents in another way; where both stand, its list counts. */
    if (json_object_get(json, "ParentShards")) {
        kinesis_stream_parse_shard(json, &shard);
        return;
    }
    FUZZ_CHECK(kinesis_stream_parse_shard(json, &shard) == expected, "'%s'", d.id.text);
    if (!expected)
        return;
    FUZZ_CHECK(strcmp(shard.id, d.id.text) == 0, "'%s'", shard.id);
    for (size_t p = 0; p < STORE_LEASE_PARENTS; p++)
        FUZZ_CHECK(strcmp(shard.parents[p], d.parents[p].text ? d.parents[p].text : "") == 0, "'%s'",
                   shard.parents[p]);
    check_hash_key(&d.from, shard.starting_hash_key);
    check_hash_key(&d.to, shard.ending_hash_key);
    check_again(&shard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct aws_exchange x;
    struct error e;
    json_t *json = NULL, *one;
    size_t i;
    json_object_seed(1);
    aws_exchange_init(&x);
    aws_exchange_answer(&x, 200, "");
    x.operation = "ListShards";
    buffer_append(&x.reply, data, size);

    json_auto_t *again = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    enum status status = aws_reply_read(&x, &json, &e);
    FUZZ_CHECK((status == STATUS_OK) == judge(again), "%d: %s", status, e.message);
    FUZZ_CHECK(status == STATUS_OK || strcmp(e.code, "MalformedReply") == 0, "%s: %s", e.code, e.message);
    if (!status)
        json_array_foreach(json_object_get(json, "Shards"), i, one) {
            check_shard(one);
        }
    json_decref(json);
    aws_exchange_deinit(&x);
    return 0;
}
