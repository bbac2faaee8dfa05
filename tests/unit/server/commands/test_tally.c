/* What an audit adds up is the same whether it fits into memory or not. */
#include "server/commands/tally.h"

#include "tests/unit/support/test.h"

enum { CONTRIBUTORS = 3000, ADDITIONS = 20000, ROUNDS = 3, MEMORY = 16384 };

struct seen {
    char last_key[64];
    size_t n;
    int64_t expected[2][CONTRIBUTORS]; /* derived, by role and number */
    int round;
};

static const char *const roles[] = {"creator", "photographer"};

static void check(void *data, const char *role, const char *user_id, struct tally_numbers *t) {
    struct seen *s = data;
    char key[64];
    int r = strcmp(role, roles[1]) == 0;
    unsigned number = (unsigned)strtoul(user_id + strlen("user-"), NULL, 10);
    snprintf(key, sizeof key, "%s %s", role, user_id);
    assert_true(strcmp(s->last_key, key) < 0); /* sorted, and each once */
    strcpy(s->last_key, key);
    assert_int_equal(t->derived, s->expected[r][number]);
    assert_int_equal(t->least, s->round); /* what is kept from round to round */
    t->least++;
    t->differed = true;
    s->n++;
}

/* A visit may be repeated: `differed` and `least` are as the last one left them. */
static void count_kept(void *data, const char *role, const char *user_id, struct tally_numbers *t) {
    (void)role, (void)user_id;
    *(size_t *)data += t->differed;
}

static void add_up(struct tallies *t, struct seen *s, uint64_t *random) {
    memset(s->expected, 0, sizeof s->expected);
    for (int i = 0; i < ADDITIONS; i++) {
        unsigned role = support_random(random) % 2, number = support_random(random) % CONTRIBUTORS;
        char user_id[32];
        snprintf(user_id, sizeof user_id, "user-%u", number);
        tallies_find(t, roles[role], user_id)->derived += i;
        s->expected[role][number] += i;
    }
    for (unsigned n = 0; n < 2 * CONTRIBUTORS; n++) { /* so that each is there in each round */
        char user_id[32];
        snprintf(user_id, sizeof user_id, "user-%u", n / 2);
        tallies_find(t, roles[n % 2], user_id)->has_after = true;
    }
}

static void check_rounds(size_t max_bytes) {
    static struct seen s;
    struct tallies t;
    struct error e;
    uint64_t random = 7;
    tallies_init(&t, max_bytes);
    for (s.round = 0; s.round < ROUNDS; s.round++) {
        size_t kept = 0;
        s.n = 0;
        s.last_key[0] = '\0';
        tallies_begin_round(&t);
        add_up(&t, &s, &random);
        assert_int_equal(tallies_visit(&t, check, &s, &e), STATUS_OK);
        assert_int_equal(s.n, 2 * CONTRIBUTORS);
        assert_int_equal(tallies_visit(&t, count_kept, &kept, &e), STATUS_OK);
        assert_int_equal(kept, 2 * CONTRIBUTORS);
    }
    tallies_deinit(&t);
}

static void tallies_that_fit_into_memory_are_added_up(void **state) {
    (void)state;
    check_rounds(SIZE_MAX);
}

static void tallies_that_do_not_fit_are_added_up_in_more_files_than_are_kept(void **state) {
    (void)state;
    check_rounds(MEMORY);
}

static void a_temporary_file_that_cannot_be_made_is_reported(void **state) {
    (void)state;
    struct tallies t;
    struct error e;
    size_t kept = 0;
    setenv("TMPDIR", "/nowhere", 1);
    tallies_init(&t, 1);
    tallies_find(&t, "creator", "ann");
    tallies_find(&t, "creator", "bob");
    assert_int_equal(tallies_visit(&t, count_kept, &kept, &e), STATUS_FAILED);
    assert_contains(e.message, "TMPDIR");
    tallies_deinit(&t);
    unsetenv("TMPDIR");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tallies_that_fit_into_memory_are_added_up),
        cmocka_unit_test(tallies_that_do_not_fit_are_added_up_in_more_files_than_are_kept),
        cmocka_unit_test(a_temporary_file_that_cannot_be_made_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
