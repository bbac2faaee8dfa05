#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/answer.h"
#include "base/mem.h"

static struct answer *answer_text_of(const char *content_type, const char *text) {
    struct answer *answer = answer_new(200, content_type, mem_strdup(text), strlen(text));
    answer_set_etag(answer);
    return answer;
}

/* The ETag of a JSON body; valid until the second call after this one. */
static const char *etag_of(const char *text) {
    static char kept[2][ANSWER_ETAG_SIZE];
    static size_t n;
    struct answer *answer = answer_text_of(ANSWER_JSON, text);
    char *out = kept[n++ % 2];
    memcpy(out, answer->etag, ANSWER_ETAG_SIZE);
    answer_unref(answer);
    return out;
}

static void assert_same(const char *one, const char *other) {
    assert_string_equal(etag_of(one), etag_of(other));
}

static void assert_differ(const char *one, const char *other) {
    assert_string_not_equal(etag_of(one), etag_of(other));
}

static void an_etag_is_weak_quoted_and_the_same_in_every_process(void **state) {
    (void)state;
    /* printf '[]' | openssl sha256 -binary | head -c 16 | base64 */
    assert_string_equal(etag_of("[]"), "W/\"T1PNoYwrqgwDVLtfmj7L5Q\"");
}

static void a_changed_as_of_in_any_place_does_not_change_the_etag(void **state) {
    (void)state;
    assert_same("{\"a\":1,\"asOf\":null}", "{\"a\":1,\"asOf\":\"2026-11-23T05:19:08.020Z\"}");
    assert_same("{\"asOf\":null,\"a\":1}", "{\"asOf\":\"2026-11-23T05:19:08.020Z\",\"a\":1}");
    assert_same("{\"m\":{\"asOf\":null},\"p\":[{\"asOf\":\"x\"},{\"asOf\":null,\"b\":2}]}",
                "{\"m\":{\"asOf\":\"y\"},\"p\":[{\"asOf\":null},{\"asOf\":\"z\",\"b\":2}]}");
    assert_same("{\"rank\":1,\"rankAsOf\":null,\"asOf\":null}",
                "{\"rank\":1,\"rankAsOf\":\"2026-11-23T05:19:08.020Z\",\"asOf\":\"x\"}");
    assert_differ("{\"otherAsOf\":1}", "{\"otherAsOf\":2}");
    assert_differ("{\"a\":1,\"asOf\":null}", "{\"a\":2,\"asOf\":null}");
    assert_differ("{\"asOf\":null,\"a\":1}", "{\"asOf\":null,\"a\":2}");
    assert_differ("{\"m\":{\"asOf\":null},\"n\":1}", "{\"m\":{\"asOf\":null},\"n\":2}");
    assert_differ("{\"a\":1}", "{\"a\":1,\"asOf\":null}");
}

static void a_change_in_a_name_that_looks_like_as_of_changes_the_etag(void **state) {
    (void)state;
    json_t *one = json_pack("{ss}", "name", "\"asOf\":1"), *other = json_pack("{ss}", "name", "\"asOf\":2");
    struct answer *answers[] = {answer_json(200, one), answer_json(200, other)};
    answer_set_etag(answers[0]);
    answer_set_etag(answers[1]);
    assert_string_not_equal(answers[0]->etag, answers[1]->etag);
    answer_unref(answers[0]);
    answer_unref(answers[1]);
}

static void a_change_anywhere_in_a_text_that_is_not_json_changes_the_etag(void **state) {
    (void)state;
    struct answer *one = answer_text_of("text/javascript", "x = {\"asOf\":1}"),
                  *other = answer_text_of("text/javascript", "x = {\"asOf\":2}");
    assert_string_not_equal(one->etag, other->etag);
    answer_unref(one);
    answer_unref(other);
}

static void *get_gzip(void *answer) {
    return answer_gzip(answer);
}

static void the_body_of_an_answer_is_compressed_once_for_all_requests(void **state) {
    (void)state;
    enum { THREADS = 4, LENGTH = 20000 };
    char text[LENGTH + 1];
    pthread_t threads[THREADS];
    memset(text, 'x', LENGTH);
    text[LENGTH] = '\0';
    struct answer *answer = answer_text_of(ANSWER_JSON, text);
    assert_null(answer->gzip); /* no request did this */
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_gzip, answer), 0);
    for (int i = 0; i < THREADS; i++) {
        void *got;
        pthread_join(threads[i], &got);
        assert_ptr_equal(got, answer->gzip);
    }
    assert_true(answer->gzip->length < LENGTH / 10);
    answer_unref(answer);
}

static void the_size_of_an_answer_includes_its_compressed_body_before_it_is_made(void **state) {
    (void)state;
    char text[4001];
    memset(text, 'x', 4000);
    text[4000] = '\0';
    struct answer *plain = answer_new(200, ANSWER_JSON, mem_strdup(text), 4000),
                  *with = answer_text_of(ANSWER_JSON, text);
    assert_true(with->value.bytes >= plain->value.bytes + answer_gzip(with)->length);
    answer_unref(plain);
    answer_unref(with);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_etag_is_weak_quoted_and_the_same_in_every_process),
        cmocka_unit_test(a_changed_as_of_in_any_place_does_not_change_the_etag),
        cmocka_unit_test(a_change_in_a_name_that_looks_like_as_of_changes_the_etag),
        cmocka_unit_test(a_change_anywhere_in_a_text_that_is_not_json_changes_the_etag),
        cmocka_unit_test(the_body_of_an_answer_is_compressed_once_for_all_requests),
        cmocka_unit_test(the_size_of_an_answer_includes_its_compressed_body_before_it_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
