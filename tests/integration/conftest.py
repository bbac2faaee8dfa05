"""Fixtures: the emulators once a session, a stage and a stream for each test, daemons that are always stopped."""

import fcntl
import os

import pytest

import browser
import cloud
import contract
import emulators
import http_client
import model
import pages
import pairs
import program
import proxy
import service_manager
import workload
from daemon import Daemon

SEED = int(os.environ.get("WINNER_VIEW_SEED", "20261123"))
MAIN_JOB_EVENTS = 10_000


@pytest.fixture(scope="session")
def own_aws():
    """Emulators that only this process uses."""
    with emulators.Emulators() as running:
        yield cloud.Aws(running)


@pytest.fixture(scope="session")
def shared_aws(request):
    """The emulators that all workers share, if tests run side by side (tests/conftest.py)."""
    shared = emulators.Addresses.shared()
    return cloud.Aws(shared) if shared else request.getfixturevalue("own_aws")


@pytest.fixture
def new_aws():
    """Emulators of one test. DynamoDB Local 1.25.1 gives each table with a time to live one of its ten background threads for
    good. Where a few have one, indexes of tables that are there are never made."""
    with emulators.Emulators() as running:
        yield cloud.Aws(running)


@pytest.fixture
def aws(request):
    """The emulators of a test. One that stops them is marked `own_emulators`, one that adds indexes `new_emulators`."""
    for marker, fixture in (("own_emulators", "own_aws"), ("new_emulators", "new_aws")):
        if request.node.get_closest_marker(marker):
            return request.getfixturevalue(fixture)
    return request.getfixturevalue("shared_aws")


@pytest.fixture(scope="session", autouse=True)
def openapi():
    """openapi.yaml, against which every response is checked (http_client.request)."""
    found = contract.Contract()
    http_client.judge = found.check
    yield found
    http_client.judge = None


@pytest.fixture
def stage():
    return f"t{os.getpid()}-{next(pairs.numbers)}"


@pytest.fixture
def stream(aws):
    return cloud.create_stream(aws.kinesis, f"s{os.getpid()}-{next(pairs.numbers)}")


@pytest.fixture
def one_shard(aws, stage):
    """A stream of one shard, to be resharded."""
    return cloud.Stream(aws.kinesis, cloud.create_stream(aws.kinesis, f"s-{stage}", shards=1))


@pytest.fixture
def tables(aws, stage):
    """The stage, with its tables made by the program itself."""
    program.create_tables(f"dynamodb:{stage}", aws.environment)
    return stage


@pytest.fixture
def make_on(openapi, tmp_path):
    """Makes daemons that are not started: make_on(pair, option...). Those that run at the end of the test are stopped,
    and must end with status 0."""
    made = []

    def make(pair, *options, environment=None):
        dead_letters = tmp_path / f"dead-letters-{pair.name}.jsonl"
        common = [*pair.options, "--dead-letter", f"file:{dead_letters}", "--drain-seconds", "0"]
        environment = {**pair.environment, **(environment or {})}
        made.append(Daemon([*common, *options], environment, dead_letters))
        return made[-1]

    yield make
    for daemon in made:
        daemon.__exit__(None)


@pytest.fixture
def start_on(make_on):
    """Starts daemons: start_on(pair, option...)."""
    return lambda *arguments, **more: make_on(*arguments, **more).start()


@pytest.fixture
def make_daemon(aws, make_on):
    """Makes daemons on AWS: make_daemon(stage, stream, option...)."""
    return lambda stage, stream, *options, **more: make_on(
        pairs.KinesisDynamodb(aws, stage, stream), *options, **more
    )


@pytest.fixture
def start(make_daemon):
    """Starts daemons on AWS: start(stage, stream, option...)."""
    return lambda *arguments, **more: make_daemon(*arguments, **more).start()


# Proxies between a service and AWS.


class Proxies:
    """A proxy in front of each emulator."""

    def __init__(self, aws, dynamodb, kinesis):
        self.aws, self.dynamodb, self.kinesis = aws, dynamodb, kinesis
        self.environment = {
            **aws.environment,
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url,
            "AWS_ENDPOINT_URL_KINESIS": kinesis.url,
        }

    def assert_exact(self, stage, stream, daemon):
        pair = pairs.KinesisDynamodb(self.aws, stage, stream)
        pairs.assert_equal_to_model(pair, model.fold(pair.records()), daemon.dead_letters())


@pytest.fixture
def proxies(aws):
    with proxy.Proxy(aws.emulators.dynamodb_url) as dynamodb, proxy.Proxy(
        aws.emulators.kinesis_url
    ) as kinesis:
        yield Proxies(aws, dynamodb, kinesis)


@pytest.fixture
def start_through(start, proxies):
    """Starts daemons that reach AWS through the proxies: start_through(stage, stream, option...)."""
    return lambda *arguments: start(*arguments, environment=proxies.environment)


# Either pair of source and store.


@pytest.fixture
def embedded(tmp_path):
    """The pair of a file and a database, neither of which exists yet."""
    return pairs.FileSqlite(tmp_path)


@pytest.fixture(params=pairs.KINDS)
def kind(request):
    return request.param


@pytest.fixture
def pair(kind, request):
    """An empty source and an empty store, of each kind in turn."""
    if kind == "file+sqlite":
        return request.getfixturevalue("embedded")
    aws, stage, stream = map(request.getfixturevalue, ("aws", "tables", "stream"))
    return pairs.KinesisDynamodb(aws, stage, stream)


def main_job_puts():
    """The events of the main job. Each can be a line of a file, so that both pairs get the same events."""
    puts = pairs.can_be_lines(workload.generate(SEED, MAIN_JOB_EVENTS + MAIN_JOB_EVENTS // 100))
    return puts[:MAIN_JOB_EVENTS]


@pytest.fixture(scope="session")
def main_stream(shared_aws, request, tmp_path_factory):
    """The main job's stream, put once for all workers: (stream, its records, the model's result). Reading it takes nothing
    from it, so each test folds it into tables of its own."""
    workers_folder = tmp_path_factory.getbasetemp().parent
    name = f"main-{getattr(request.config, 'workerinput', {}).get('testrunuid', os.getpid())}"
    with open(workers_folder / f"{name}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.fstat(lock.fileno()).st_size:
            cloud.create_stream(shared_aws.kinesis, name)
            cloud.put(shared_aws.kinesis, name, main_job_puts())
            lock.write("put")
    records = cloud.read_stream(shared_aws.kinesis, name)
    assert len(records) == MAIN_JOB_EVENTS
    return name, records, model.fold(records)


@pytest.fixture(scope="session")
def main_file(tmp_path_factory):
    """The main job's events in a file: (path, its records, the model's result)."""
    pair = pairs.FileSqlite(tmp_path_factory.mktemp("main"))
    pair.put(main_job_puts())
    records = pair.records()
    assert len(records) == MAIN_JOB_EVENTS
    return pair.journal, records, model.fold(records)


@pytest.fixture
def main_job(kind, request, tmp_path):
    """The main job's source and an empty store, of each kind in turn: (pair, records, model's result)."""
    if kind == "file+sqlite":
        journal, records, expected = request.getfixturevalue("main_file")
        return pairs.FileSqlite(tmp_path, journal), records, expected
    stream, records, expected = request.getfixturevalue("main_stream")
    aws, stage = map(request.getfixturevalue, ("aws", "tables"))
    return pairs.KinesisDynamodb(aws, stage, stream), records, expected


@pytest.fixture
def manager(tmp_path):
    """A service manager; `environment` is for the daemon that it starts."""
    found = service_manager.Manager(tmp_path)
    yield found
    found.socket.close()


@pytest.fixture(scope="module")
def chromium():
    with browser.Browser() as running:
        yield running


@pytest.fixture
def visit(chromium, make_on):
    """Opens pages: visit(daemon, "#/…", option…). `allowed`: Chromium's messages about loads that may fail."""
    visits = []

    def visit(daemon, place="", allowed=None, **options):
        page = chromium.open(f"http://127.0.0.1:{daemon.port}/{place}", **options)
        visits.append((page, allowed))
        return page

    yield visit
    for page, allowed in visits:
        pages.assert_quiet(page, allowed)
        page.close()


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """The sample shop, for tests that only read."""
    pair = pairs.FileSqlite(tmp_path_factory.mktemp("market"))
    pages.put_sample(pair)
    with Daemon([*pair.options, "--drain-seconds", "0"], {}) as daemon:
        daemon.wait_until_applied()
        yield daemon
