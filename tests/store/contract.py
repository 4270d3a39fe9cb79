"""What every store must do; run against each implementation by a subclass with a `store` fixture."""

from __future__ import annotations

import random
from typing import get_args

import msgspec
import pytest

from encke.core.ids import IdMint
from encke.core.usage import Usage
from encke.keys.grant import Grant
from encke.ledger.entry import Entry
from encke.store.port import Appended, GroupBy, NameTaken, Store, StoredKey

MIDNIGHT = 1_798_761_600_000  # 2027-01-01T00:00:00Z
DAY = 86_400_000
HOUR = 3_600_000
mint = IdMint()
pack = msgspec.msgpack.encode


def entry(call: str | None = None, attempt: int = 1, started: int = MIDNIGHT, **fields: object) -> Entry:
    """An entry of a complete streamed call, with what the test cares about changed."""
    plain = Entry(
        call=call or mint.new(),
        attempt=attempt,
        key="KEY000000001",
        route="chat",
        asked="fast",
        provider="openai",
        model="gpt-5-mini",
        status="complete",
        reason="stop",
        http_status=200,
        stream=True,
        final=True,
        started=started,
        dispatched=started + 3,
        first_us=250_000,
        total_us=1_500_000,
        usage=Usage(100, 20, 3, 4, 5, 50, 6, 7),
        cost=1_234,
        price_version="2026-10-01",
        received=4_096,
        client_request_id="my-id",
        credential="spare",
    )
    return msgspec.structs.replace(plain, **fields)


def key(number: int, **fields: object) -> tuple[StoredKey, bytes]:
    """A key and its digest."""
    stored = StoredKey(f"KEY{number:09d}", f"name {number}", 1_000 + number)
    return msgspec.structs.replace(stored, **fields), bytes([number]) * 32


def accounts(*each: tuple[int, int]) -> msgspec.Raw:
    """What an entry is charged to, as a worker writes it."""
    return msgspec.Raw(pack(each))


class StoreContract:
    """Subclass it with a fixture `store`."""

    # Keys

    def test_keys_come_back(self, store: Store) -> None:
        """A key comes back by id, name and digest as it was added; lists are oldest first."""
        first, second = key(1, expires=99_000), key(2)
        store.add_key(*second)
        store.add_key(*first)
        assert store.list_keys() == [first[0], second[0]]
        assert store.key("KEY000000001") == store.key("name 1") == store.key_by_digest(first[1]) == first[0]
        assert store.key("nothing") is None and store.key_by_digest(b"0" * 32) is None

    def test_every_change_raises_the_version(self, store: Store) -> None:
        """The version rises with each change to the keys and with nothing else."""
        seen = [store.version()]
        store.add_key(*key(1))
        seen.append(store.version())
        store.revoke_key("KEY000000001", 5_000)
        seen.append(store.version())
        assert seen == sorted(set(seen))
        assert not store.revoke_key("KEY000000001", 6_000)
        with pytest.raises(NameTaken):
            store.add_key(*key(1))
        store.append([entry()])
        assert store.version() == store.live_keys().version == seen[-1]

    def test_live_keys(self, store: Store) -> None:
        """The snapshot holds every key that is not revoked, expired ones too, by digest."""
        live, expired, revoked = key(1), key(2, expires=1), key(3)
        for each in (live, expired, revoked):
            store.add_key(*each)
        store.revoke_key(revoked[0].public_id, 5_000)
        assert store.live_keys().grants == {
            live[1]: Grant("KEY000000001", "name 1", 1_001),
            expired[1]: Grant("KEY000000002", "name 2", 1_002, 1),
        }

    def test_revoke(self, store: Store) -> None:
        """A key is revoked once, keeps the first time, and stays in the list."""
        store.add_key(*key(1))
        assert store.revoke_key("KEY000000001", 5_000)
        assert not store.revoke_key("KEY000000001", 6_000)
        assert not store.revoke_key("KEY000000009", 6_000)
        assert [k.revoked for k in store.list_keys()] == [5_000]

    def test_names(self, store: Store) -> None:
        """Two live keys cannot share a name; a revoked one leaves its name, and the live one is found by it."""
        store.add_key(*key(1, name="same"))
        with pytest.raises(NameTaken):
            store.add_key(*key(2, name="same"))
        store.revoke_key("KEY000000001", 5_000)
        store.add_key(*key(2, name="same"))
        found = store.key("same")
        assert found is not None and found.public_id == "KEY000000002"
        store.revoke_key("KEY000000002", 6_000)
        found = store.key("same")
        assert found is not None and found.public_id == "KEY000000002"

    def test_id_goes_before_name(self, store: Store) -> None:
        """A key is found by its id even if another is named so."""
        store.add_key(*key(1))
        store.add_key(*key(2, name="KEY000000001"))
        found = store.key("KEY000000001")
        assert found is not None and found.name == "name 1"

    def test_same_digest_or_id_is_refused(self, store: Store) -> None:
        """The same secret or public id cannot be added twice, whatever the name."""
        store.add_key(*key(1))
        with pytest.raises(NameTaken):
            store.add_key(key(2)[0], key(1)[1])
        with pytest.raises(NameTaken):
            store.add_key(key(1, name="other")[0], key(2)[1])

    # Idempotency-Keys

    def test_a_name_has_one_call(self, store: Store) -> None:
        """Until its time is over it is the first one's, in whatever state that is; then it is free, and what was kept
        of it is told."""
        name, asked, other = b"n" * 32, b"a" * 32, b"o" * 32
        table = store.replies
        assert table.begin(name, asked, "c1", 7, 1_000, 0) == ("begun", "c1", "", 0)
        assert table.begin(name, asked, "c1", 7, 1_001, 0).state == "begun"
        assert table.begin(name, asked, "c2", 8, 1_002, 0) == ("running", "c1", "", 0)
        assert table.running() == [(name, "c1", 7, 1_000, "running", 0)]
        assert not table.done(name, "c2", "kept", 5) and table.done(name, "c1", "kept", 5)
        assert not table.done(name, "c1", "lost", 0) and not table.free(name, "c1") and table.running() == []
        assert table.begin(name, asked, "c2", 8, 1_003, 1_000).state == "kept"
        assert table.begin(name, other, "c2", 8, 1_003, 1_000).state == "conflict"
        assert table.begin(name, other, "c2", 8, 1_003, 1_001) == ("begun", "c2", "c1", 5)
        assert table.free(name, "c2") and table.begin(name, asked, "c3", 8, 1_004, 0).state == "begun"

    def test_old_names(self, store: Store) -> None:
        """The oldest first, a few at a time; those that run are none of them."""
        names = [bytes([number]) * 32 for number in range(5)]
        table = store.replies
        for number, name in enumerate(names):
            table.begin(name, name, f"c{number}", 7, 1_000 + number, 0)
            if number:
                table.done(name, f"c{number}", "large" if number == 2 else "kept", number)
        assert [reply.call for reply in table.older(1_004, 2)] == ["c1", "c2"]
        assert [reply.call for reply in table.oldest_kept(2)] == ["c1", "c3"]
        table.drop(names[:3])
        assert [reply.state for reply in table.older(2_000, 9)] == ["dropped", "large", "kept", "kept"]
        assert table.files() == {"c0": 0, "c3": 3, "c4": 4}
        table.forget(names)
        assert table.older(2_000, 9) == [] and [reply.call for reply in table.running()] == ["c0"]

    # Entries

    def test_entries_come_back(self, store: Store) -> None:
        """Every field of an entry comes back as it was, unpriced ones and odd text too; attempts in order."""
        call = mint.new()
        odd = "a\x00b\u2028\U0001f600'\";--"
        second = entry(call, 2, cost=None, asked=odd, client_request_id="", stream=False)
        first = entry(call, 1, final=False, status="failed", usage=Usage(estimated=True), cost=0)
        assert store.append([second, first]).count == 2
        assert store.entries(call) == [first, second]
        assert store.entries("nothing") == []

    def test_append_is_idempotent(self, store: Store) -> None:
        """What is there already is left as it is, also within one batch; only new entries are counted."""
        one, two = entry(), entry()
        assert store.append([one, one]).count == 1
        assert store.append([msgspec.structs.replace(one, cost=9), two]).count == 1
        assert store.entries(one.call) == [one]
        assert store.append([one, two]) == Appended(0, {})
        assert store.append([]) == Appended(0, {})

    def test_a_failed_batch_leaves_nothing(self, store: Store) -> None:
        """If one entry of a batch cannot be stored, the others are not either."""
        good = entry()
        with pytest.raises(TypeError):
            store.append([good, entry(status=object())])
        assert store.entries(good.call) == []
        assert store.append([good]).count == 1

    def test_absurd_numbers_do_not_stop_the_batch(self, store: Store) -> None:
        """Token counts beyond 64 bits, or below zero, are cut down; the entries beside them are stored as they are."""
        absurd = entry(usage=Usage(input=2**80, output=-5), cost=2**90, total_us=2**70)
        good = entry()
        assert store.append([absurd, good]).count == 2
        (found,) = store.entries(absurd.call)
        assert 0 < found.usage.input < 2**60 and found.usage.output == 0 and found.total_us < 2**60
        assert store.entries(good.call) == [good]
        assert store.usage(0, 2**60)[0].input > found.usage.input

    # Accounts

    def test_costs_are_posted_to_accounts(self, store: Store) -> None:
        """What an entry costs is charged to all of its accounts; unpriced and free ones charge nothing; the accounts
        come back with the entry."""
        both, one = accounts((1, 0), (2, 86_400_000)), accounts((2, 0))
        costly = entry(accounts=both, cost=100)
        more = [
            entry(accounts=one, cost=None),
            entry(accounts=both, cost=7),
            entry(accounts=one, cost=0),
            entry(cost=9),
        ]
        assert store.append([costly, *more]) == Appended(5, {(1, 0): 107, (2, 86_400_000): 107})
        assert store.append([entry(accounts=one, cost=5)]) == Appended(1, {(2, 0): 5})
        assert [store.posted(*at) for at in ((1, 0), (2, 86_400_000), (2, 0), (3, 0))] == [107, 107, 5, 0]
        assert [store.entries(each.call) for each in (costly, *more)] == [[each] for each in (costly, *more)]

    def test_costs_are_posted_once(self, store: Store) -> None:
        """Entries that come again, whole batches or among others, or twice in one, are charged once."""
        entries = [entry(accounts=accounts((1, 0)), cost=10**number) for number in range(6)]
        assert store.append(entries[:3]).posted == {(1, 0): 111}
        assert store.append(entries[:3]) == Appended(0, {})
        assert store.append([entries[4], *entries[:4], entries[4]]) == Appended(2, {(1, 0): 11_000})
        changed = msgspec.structs.replace(entries[5], cost=1)
        assert store.append([*entries, changed]) == Appended(1, {(1, 0): 100_000})
        assert store.posted(1, 0) == 111_111
        assert store.usage(0, 2**60)[0].cost == 111_111

    def test_a_failed_batch_posts_nothing(self, store: Store) -> None:
        """What a batch brought that failed is forgotten: new accounts too, and the next batch is right."""
        new = accounts((9, 0), (8, 0))
        with pytest.raises(TypeError):
            store.append([entry(accounts=new, asked="new"), entry(route=object())])
        assert store.posted(9, 0) == 0
        assert store.append([entry(accounts=new, asked="new", cost=3)]).posted == {(8, 0): 3, (9, 0): 3}

    def test_accounts_that_are_none(self, store: Store) -> None:
        """Accounts that no worker writes do not stop the entries behind them; one named twice is charged
        once."""
        values: list[object] = [{}, [[1]], "x", [["a", 1]], []]
        strange = [msgspec.Raw(pack(value)) for value in values]
        entries = [entry(accounts=each) for each in (*strange, accounts((1, 0), (1, 0)))]
        assert store.append(entries) == Appended(6, {(1, 0): 1_234})

    def test_absurd_costs_do_not_overflow(self, store: Store) -> None:
        """An account at the end of its figures stays there, and takes further entries."""
        for _ in range(3):
            store.append([entry(cost=2**80, accounts=accounts((1, 0))) for _ in range(30_000)])
        assert 2**61 < store.posted(1, 0) < 2**63
        assert store.append([entry()]).count == 1

    # Usage

    def test_usage_of_nothing(self, store: Store) -> None:
        """Without entries the ungrouped report is one row of zeroes, and null for the cost; grouped ones are empty."""
        (row,) = store.usage(0, 2**60)
        assert (row.calls, row.input, row.cost, row.unpriced) == (0, 0, None, 0)
        assert [store.usage(0, 2**60, by) for by in get_args(GroupBy)] == [[]] * 8

    def test_usage_counts(self, store: Store) -> None:
        """A call that failed over is one call and two attempts; a rejected one has none; who left did not fail."""
        call = mint.new()
        store.append(
            [
                entry(call, 1, final=False, status="failed", usage=Usage(), cost=0),
                entry(call, 2),
                entry(attempt=0, status="rejected", usage=Usage(), cost=None),
                entry(status="client_closed", cost=None),
                entry(status="truncated", cost=10),
            ]
        )
        (row,) = store.usage(0, 2**60)
        assert (row.calls, row.failed_calls, row.attempts, row.failed_attempts) == (4, 2, 4, 2)
        assert (row.input, row.cached, row.output) == (3 * 132, 3 * 20, 3 * 63)
        assert (row.cost, row.unpriced) == (1_244, 1)

    def test_usage_range_is_half_open(self, store: Store) -> None:
        """The first millisecond belongs to the range, the last does not."""
        store.append([entry(started=1_000), entry(started=1_999), entry(started=2_000)])
        assert [store.usage(*span)[0].calls for span in ((1_000, 2_000), (1_001, 2_000), (2_000, 2_001))] == [2, 1, 1]

    def test_usage_by_provider_and_credential(self, store: Store) -> None:
        """A call that went to two stands in the line of the last, attempts in those of both; a credential is named with
        its provider."""
        one, two = mint.new(), mint.new()
        store.append(
            [
                entry(one, 1, provider="p", credential="a", status="refused", final=False),
                entry(one, 2, provider="p", credential="b"),
                entry(two, 1, provider="q", credential=""),
            ]
        )
        providers = {row.group: (row.calls, row.attempts) for row in store.usage(0, 2**60, "provider")}
        credentials = {row.group: (row.calls, row.attempts) for row in store.usage(0, 2**60, "credential")}
        assert providers == {"p": (1, 2), "q": (1, 1)}
        assert credentials == {"p/a": (0, 1), "p/b": (1, 1), "q": (1, 1)}

    def test_usage_by_project_and_organisation(self, store: Store) -> None:
        """Entries are counted for the project they were made for, and its organisation, with their names."""
        store.append([entry(), entry(project=1), entry(project=77, cost=1)])
        by_project = [(row.group, row.name, row.calls, row.cost) for row in store.usage(0, 2**60, "project")]
        assert by_project == [("1", "default", 2, 2 * 1_234), ("77", "", 1, 1)]
        by_organisation = [(row.group, row.name, row.calls) for row in store.usage(0, 2**60, "organisation")]
        assert by_organisation == [("1", "default", 2), ("", "", 1)]

    def test_usage_without_tags(self, store: Store) -> None:
        """What has no tag stands in a line of its own."""
        store.append([entry(), entry(key="other")])
        assert [(row.group, row.calls) for row in store.usage(0, 2**60, "tag")] == [("", 2)]

    def test_usage_says_what_is_estimated(self, store: Store) -> None:
        """Attempts whose tokens were estimated are counted, and a cost of nothing is told from no price at all."""
        store.append([entry(usage=Usage(3, estimated=True), cost=None), entry(asked="free", cost=0)])
        rows = {row.group: (row.cost, row.unpriced, row.estimated) for row in store.usage(0, 2**60, "model")}
        assert rows == {"fast": (None, 1, 1), "free": (0, 0, 0)}

    def test_usage_is_exact_to_the_millisecond(self, store: Store) -> None:
        """Wherever in an hour a range begins and ends, and however many hours it has, the sums are those of its
        entries."""
        rng = random.Random(3)
        times = [*sorted(rng.randint(MIDNIGHT, MIDNIGHT + 4 * HOUR) for _ in range(60)), MIDNIGHT + 9 * HOUR]
        store.append([entry(started=at, usage=Usage(input=number)) for number, at in enumerate(times)])
        ends = [*times, *(at + 1 for at in times), *(MIDNIGHT + hour * HOUR for hour in range(-1, 12))]
        for _ in range(300):
            since, until = sorted(rng.choices(ends, k=2))
            inside = [number for number, at in enumerate(times) if since <= at < until]
            for by in (None, "model", "day"):
                rows = store.usage(since, until, by)
                assert sum(row.calls for row in rows) == len(inside), (since, until)
                assert sum(row.input for row in rows) == sum(inside)

    def test_usage_by_day(self, store: Store) -> None:
        """Days are UTC days: the last millisecond of one year and the first of the next stand in different rows, in
        order of time, and a day without calls in none."""
        store.append([entry(started=s) for s in (MIDNIGHT + 3 * DAY, MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + DAY - 1)])
        rows = store.usage(0, 2**60, "day")
        assert [(row.group, row.calls) for row in rows] == [("2026-12-31", 1), ("2027-01-01", 2), ("2027-01-04", 1)]

    def test_usage_by_key_and_model(self, store: Store) -> None:
        """By key with the key's name, by model as asked for, the most calls first; unpriced groups cost null."""
        store.add_key(*key(1, name="app"))
        entries = [entry(asked="fast") for _ in range(3)]
        entries += [entry(key="KEY000000077", asked="odd", cost=None) for _ in range(2)]
        store.append(entries)
        by_key = [(row.group, row.name, row.calls, row.cost, row.unpriced) for row in store.usage(0, 2**60, "key")]
        assert by_key == [("KEY000000001", "app", 3, 3 * 1_234, 0), ("KEY000000077", "", 2, None, 2)]
        by_model = [(row.group, row.name, row.calls) for row in store.usage(0, 2**60, "model")]
        assert by_model == [("fast", "", 3), ("odd", "", 2)]

    # Leases

    def test_leases_come_back(self, store: Store) -> None:
        """What was granted is set, not added to; a worker's rows go together, and other workers' stay."""
        assert store.leases() == [] and store.rates() == []
        store.grant([(7, 1, 0, 500), (7, 2, MIDNIGHT, 90), (8, 1, 0, 20)], [(3, 1_000), (4, -5)])
        store.grant([(7, 1, 0, 400)], [(3, 2_000)])
        store.grant([], [])
        assert sorted(store.leases()) == [(7, 1, 0, 400, 0), (7, 2, MIDNIGHT, 90, 0), (8, 1, 0, 20, 0)]
        assert sorted(store.rates()) == [(3, 2_000), (4, -5)]
        store.forget_leases(7)
        store.forget_leases(99)
        assert store.leases() == [(8, 1, 0, 20, 0)]

    def test_granting_and_posting_leave_each_other_alone(self, store: Store) -> None:
        """What entries cost is added to the worker's lease; a later grant keeps that, and so does an earlier one."""
        charge = msgspec.Raw(msgspec.msgpack.encode([[1, 0]]))
        store.grant([(7, 1, 0, 500)], [])
        store.append([entry(accounts=charge, cost=30)], 7)
        store.grant([(7, 1, 0, 600)], [])
        store.append([entry(accounts=charge, cost=5)], 7)
        store.append([entry(accounts=charge, cost=11)], 8)
        store.grant([(8, 1, 0, 40)], [])
        assert sorted(store.leases()) == [(7, 1, 0, 600, 35), (8, 1, 0, 40, 11)]
        assert store.posted(1, 0) == 46
        store.forget_leases(7)
        assert store.posted(1, 0) == 46

    def test_what_comes_after_a_lease_was_dropped(self, store: Store) -> None:
        """Only that row goes; a later entry is charged to its account, and begins the row anew."""
        charge = msgspec.Raw(msgspec.msgpack.encode([[1, MIDNIGHT]]))
        store.grant([(7, 1, MIDNIGHT, 30), (7, 1, 0, 9), (8, 1, MIDNIGHT, 50)], [])
        store.append([entry(accounts=charge, cost=30)], 7)
        store.drop_leases([(7, 1, MIDNIGHT), (7, 99, 0)])
        store.drop_leases([])
        assert sorted(store.leases()) == [(7, 1, 0, 9, 0), (8, 1, MIDNIGHT, 50, 0)]
        store.append([entry(accounts=charge, cost=5)], 7)
        assert (7, 1, MIDNIGHT, 0, 5) in store.leases() and store.posted(1, MIDNIGHT) == 35

    def test_housekeeping_keeps_everything(self, store: Store) -> None:
        """Checkpoints lose nothing and may come at any time."""
        calls = []
        for _ in range(20):
            batch = [entry() for _ in range(50)]
            calls += [e.call for e in batch]
            store.append(batch)
            store.checkpoint()
        store.checkpoint_idle()
        assert store.usage(0, 2**60)[0].calls == len(calls) == 1_000
        assert all(store.entries(call) for call in calls)
