#include "aws/stream_arn.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support/aws.h"

static void the_region_is_the_fourth_part(void **state) {
    (void)state;
    char region[AWS_REGION_SIZE];
    struct error e;
    assert_int_equal(
        aws_stream_arn_region("arn:aws-cn:kinesis:cn-north-1:111122223333:stream/a_b.c-D1", region, &e),
        STATUS_OK);
    assert_string_equal(region, "cn-north-1");
    assert_true(aws_stream_arn_is("arn:"));
    assert_false(aws_stream_arn_is("arn"));
}

static void the_wrong_part_is_named(void **state) {
    (void)state;
    static const struct {
        const char *arn, *part;
    } cases[] = {
        {"arn:", "partition"},
        {"arn:gcp:kinesis:eu-west-1:111122223333:stream/a", "partition"},
        {"arn:aws:dynamodb:eu-west-1:111122223333:table/a", "service"},
        {"arn:aws:kinesis", "region"},
        {"arn:aws:kinesis::111122223333:stream/a", "region"},
        {"arn:aws:kinesis:eu-west-1/x:111122223333:stream/a", "region"},
        {"arn:aws:kinesis:eu-west-1::stream/a", "account"},
        {"arn:aws:kinesis:eu-west-1:11112222333a:stream/a", "account"},
        {"arn:aws:kinesis:eu-west-1:111122223333:stream/", "stream"},
        {"arn:aws:kinesis:eu-west-1:111122223333:a", "stream"},
        {"arn:aws:kinesis:eu-west-1:111122223333:stream/a/consumer/b:1", "stream"},
        {"arn:aws:kinesis:eu-west-1:111122223333:stream/a b", "stream"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char region[AWS_REGION_SIZE], words[64];
        struct error e;
        assert_int_equal(aws_stream_arn_region(cases[i].arn, region, &e), STATUS_INVALID);
        snprintf(words, sizeof words, "its %s", cases[i].part);
        assert_contains(e.message, words);
        assert_contains(e.message, "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_region_is_the_fourth_part),
        cmocka_unit_test(the_wrong_part_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
