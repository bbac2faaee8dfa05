/* STS on the loopback interface, with a clock that can differ from ours. */
#include "aws/credentials/sts.h"

#include <time.h>

#include "base/clock.h"
#include "tests/unit/support/aws_credentials.h"

#define HOUR INT64_C(3600000)
#define MINUTE INT64_C(60000)
#define REFUSAL(code)                                                                                        \
    "<ErrorResponse><Error><Code>" code "</Code><Message>no</Message></Error></ErrorResponse>"
#define EXPIRES INT64_C(1893456000000) /* the expiry in STS_ANSWER */

static const struct aws_sts_role role = {.arn = "arn:x"};

static char date[64]; /* the header line */

/* Sets the clock of STS `ahead_ms` ahead of ours. */
static void set_date(int64_t ahead_ms) {
    time_t seconds = (time_t)((clock_real_ms() + ahead_ms) / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT", &tm);
}

static enum status assume(struct scripted_http *server, bool corrects_skew, struct aws_credentials **out,
                          struct error *e) {
    struct surroundings s;
    const struct aws_credentials_found base = {"BASE", "hidden", NULL, {"k", "s", "t"}, 0, "test"};
    struct aws_credentials *as;
    assert_int_equal(aws_credentials_make(&as, &base, NULL), STATUS_OK);
    support_surround(&s, "", "", "dev", scripted_http_url(server, ""));
    s.setup.corrects_skew = corrects_skew;
    struct aws_sts *sts = aws_sts_new(&s.setup);
    enum status status = aws_sts_assume_role(sts, &role, as, -1, out, e);
    aws_sts_free(sts);
    support_leave(&s);
    aws_credentials_unref(as);
    return status;
}

/* How far ahead of our clock that request was signed. */
static int64_t signed_ahead(struct scripted_http *server, size_t i) {
    const char *line = strstr(scripted_http_request(server, i), "\r\nX-Amz-Date: ");
    char text[32];
    int64_t time_ms;
    assert_non_null(line);
    const char *d = line + strlen("\r\nX-Amz-Date: ");
    snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", d, d + 4, d + 6, d + 9, d + 11, d + 13);
    assert_true(clock_parse(text, strlen(text), &time_ms));
    return time_ms - clock_real_ms();
}

static void assert_near(int64_t ms, int64_t expected_ms) {
    assert_in_range(ms - expected_ms + 30000, 0, 60000);
}

static void a_request_signed_by_a_wrong_clock_is_signed_again_by_the_clock_of_sts(void **state) {
    (void)state;
    static const char *const refusals[] = {REFUSAL("SignatureDoesNotMatch"), REFUSAL("RequestExpired")};
    static const int64_t ahead[] = {HOUR, -20 * MINUTE};
    for (size_t i = 0; i < COUNT(refusals); i++) {
        set_date(ahead[i]);
        const struct scripted_answer answers[] = {{403, refusals[i], date}, {200, STS_ANSWER("ROLE"), date}};
        struct scripted_http *server = scripted_http_start(answers, 2);
        struct aws_credentials *c;
        struct error e;
        if (assume(server, true, &c, &e))
            fail_msg("%s", e.message);
        assert_int_equal(scripted_http_count(server), 2);
        assert_near(signed_ahead(server, 0), 0);
        assert_near(signed_ahead(server, 1), ahead[i]);
        assert_int_equal(c->expires_ms, EXPIRES);
        assert_near(c->issued_ms - clock_real_ms(), ahead[i]);
        aws_credentials_unref(c);
        scripted_http_stop(server);
    }
}

static void an_error_that_the_clock_does_not_explain_is_not_retried(void **state) {
    (void)state;
    static const struct {
        const char *refusal, *code;
        int64_t ahead_ms;
        enum status status;
    } cases[] = {{REFUSAL("SignatureDoesNotMatch"), "SignatureDoesNotMatch", 3 * MINUTE, STATUS_FAILED},
                 {REFUSAL("InvalidClientTokenId"), "InvalidClientTokenId", HOUR, STATUS_RETRY},
                 {REFUSAL("AccessDenied"), "AccessDenied", HOUR, STATUS_FAILED}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        set_date(cases[i].ahead_ms);
        const struct scripted_answer answers[] = {{403, cases[i].refusal, date}};
        struct scripted_http *server = scripted_http_start(answers, 1);
        struct aws_credentials *c;
        struct error e;
        assert_int_equal(assume(server, true, &c, &e), cases[i].status);
        assert_string_equal(e.code, cases[i].code);
        assert_int_equal(scripted_http_count(server), 1);
        scripted_http_stop(server);
    }
}

static void a_clock_correction_that_does_not_help_is_used_once(void **state) {
    (void)state;
    set_date(HOUR);
    const struct scripted_answer answers[] = {{403, REFUSAL("SignatureDoesNotMatch"), date}};
    struct scripted_http *server = scripted_http_start(answers, 1);
    struct aws_credentials *c;
    assert_int_equal(assume(server, true, &c, NULL), STATUS_FAILED);
    assert_null(c);
    assert_int_equal(scripted_http_count(server), 2);
    scripted_http_stop(server);
}

static void clock_corrections_of_sts_can_be_switched_off(void **state) {
    (void)state;
    set_date(HOUR);
    const struct scripted_answer answers[] = {{403, REFUSAL("SignatureDoesNotMatch"), date},
                                              {200, STS_ANSWER("ROLE"), date}};
    struct scripted_http *server = scripted_http_start(answers, 2);
    struct aws_credentials *c;
    assert_int_equal(assume(server, false, &c, NULL), STATUS_FAILED);
    assert_int_equal(assume(server, false, &c, NULL), STATUS_OK);
    assert_int_equal(c->expires_ms, EXPIRES);
    aws_credentials_unref(c);
    scripted_http_stop(server);
}

static void credentials_of_a_web_identity_have_the_time_of_sts(void **state) {
    (void)state;
    static const int64_t ahead[] = {HOUR, 3 * MINUTE};
    for (size_t i = 0; i < COUNT(ahead); i++) {
        set_date(ahead[i]);
        const struct scripted_answer answers[] = {{200, STS_ANSWER("WEB"), date}};
        struct scripted_http *server = scripted_http_start(answers, 1);
        struct surroundings s;
        struct aws_credentials *c;
        support_surround(&s, "", "", "dev", scripted_http_url(server, ""));
        assert_int_equal(aws_sts_assume_role_with_web_identity(s.sts, &role, "token", -1, &c, NULL),
                         STATUS_OK);
        assert_int_equal(c->expires_ms, EXPIRES);
        assert_near(c->issued_ms - clock_real_ms(), ahead[i]);
        assert_int_equal(scripted_http_count(server), 1);
        aws_credentials_unref(c);
        support_leave(&s);
        scripted_http_stop(server);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_signed_by_a_wrong_clock_is_signed_again_by_the_clock_of_sts),
        cmocka_unit_test(an_error_that_the_clock_does_not_explain_is_not_retried),
        cmocka_unit_test(a_clock_correction_that_does_not_help_is_used_once),
        cmocka_unit_test(clock_corrections_of_sts_can_be_switched_off),
        cmocka_unit_test(credentials_of_a_web_identity_have_the_time_of_sts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
