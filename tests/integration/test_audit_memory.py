"""winner-view audit takes bounded memory, however many contributors and differences there are, and finds the same."""

import json
import sqlite3
import subprocess
import sys

import pairs
import program
import pytest

CONTRIBUTORS = 500_000
LIMIT_MIB = 64
WRONG, MISSING = 123_456, 456_789

FILL = f"""
INSERT INTO contributions (productId, creator, creatorScore, photographerScore, lastEventId, created, updated, createdBy,
                           updatedBy)
  WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {CONTRIBUTORS - 1})
  SELECT printf('product-%07d', i), printf('web/merchant/amzn1.account.M%07d/Ann', i), 3, 0, 's:1', 1, 1, '', '' FROM n;
INSERT INTO scores (userId, role, score, updated, updatedBy)
  SELECT creator, 'creator', creatorScore, 1, '' FROM contributions;
INSERT INTO scores (userId, role, score, updated, updatedBy) VALUES ('SHOP/0', 'shop', {3 * CONTRIBUTORS}, 1, '');
"""
TWO_CHANGES = f"""
UPDATE scores SET score = 4 WHERE userId LIKE '%M{WRONG:07}/Ann';
DELETE FROM scores WHERE userId LIKE '%M{MISSING:07}/Ann';
"""


def user(number):
    return f"web/merchant/amzn1.account.M{number:07}/Ann"


# In a small process: a program's peak begins with that of the process that started it.
MEASURE = """
import os, sys
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(usage.ru_maxrss / 1024, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run_measured(*arguments):
    """Exit status, standard output, and the peak of resident memory in MiB."""
    command = [sys.executable, "-c", MEASURE, program.binary(), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, float(done.stderr.splitlines()[-1])


@pytest.fixture
def audited(tmp_path):
    """Audits a large database after some changes: the exit status, and what was found."""
    database = pairs.begin(pairs.FileSqlite(tmp_path)).database

    def audit(changes):
        with sqlite3.connect(database) as connection:
            connection.executescript(FILL + changes)
        connection.close()
        status, out, peak_mib = run_measured("audit", "--store", f"sqlite:{database}", "--format", "json")
        if "asan" not in program.binary():
            assert peak_mib < LIMIT_MIB
        return status, json.loads(out)

    return audit


@pytest.mark.all
def test_an_audit_of_many_contributors_takes_bounded_memory_and_finds_each_difference(audited):
    status, found = audited(TWO_CHANGES)
    assert found["differences"] == [
        {"role": "creator", "userId": user(WRONG), "score": 4, "derived": 3},
        {"role": "creator", "userId": user(MISSING), "score": None, "derived": 3},
    ]
    assert (status, found["scores"], found["products"]) == (3, CONTRIBUTORS, CONTRIBUTORS)


@pytest.mark.all
def test_an_audit_of_many_differences_takes_bounded_memory_and_prints_each(audited):
    status, found = audited("DELETE FROM scores WHERE role = 'creator';")
    assert (status, found["scores"], len(found["differences"])) == (3, 1, CONTRIBUTORS)
    assert [one["userId"] for one in found["differences"]] == [user(number) for number in range(CONTRIBUTORS)]
