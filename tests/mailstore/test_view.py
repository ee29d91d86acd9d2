"""The shared view against the simplest model: whatever happens, a session that applies its deltas ends up right."""

from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap.sequence_set import compact
from mailraven.mailstore import uidset
from mailraven.mailstore.view import MailboxView, Snapshot


class Session:
    """Keeps its numbering only by what it is told, as a client does."""

    def __init__(self, view: MailboxView) -> None:
        self.view = view
        self.snapshot: Snapshot = view.snapshot()
        self.uids = self.snapshot.uids.tolist()[: self.snapshot.count]
        self.flags = {uid: view.flags(uid) for uid in self.uids}

    def sync(self, *, expunge: bool) -> None:
        delta = self.view.since(self.snapshot, expunge=expunge)
        if not expunge:
            assert not delta.expunged
        for number in delta.expunged:
            self.flags.pop(self.uids.pop(number - 1))
        if delta.exists is not None:
            assert delta.exists >= len(self.uids)
            self.uids = delta.snapshot.uids.tolist()[: delta.exists]
            for uid in self.uids:
                self.flags.setdefault(uid, self.view.flags(uid))
        for uid in delta.changed:
            assert uid in self.uids
            self.flags[uid] = self.view.flags(uid)
        self.snapshot = delta.snapshot


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["append", "expunge", "flag", "sync", "hold"]), st.integers(0, 40), st.integers(1, 5)),
    max_size=60,
)


@given(OPERATIONS)
@settings(max_examples=200, deadline=None)
def test_sessions_converge(operations: list[tuple[str, int, int]]) -> None:
    view = MailboxView(1, 1, 1)
    view.load(array("I"), array("q"), array("q"), 1)
    sessions = [Session(view), Session(view)]
    modseq, uidnext = 1, 1
    for kind, number, count in operations:
        if kind == "append":
            modseq += 1
            view.append((uidnext + k, 0, modseq) for k in range(count))
            uidnext += count
            view.reach(modseq)
        elif kind == "expunge":
            modseq += 1
            view.expunge(modseq, range(number, number + count))
            view.reach(modseq)
        elif kind == "flag":
            modseq += 1
            rows = [(uid, modseq, modseq) for uid in range(number, number + count) if uid in view]
            view.change(modseq, rows)
            view.reach(modseq)
        else:
            sessions[number % 2].sync(expunge=kind == "sync")
    for session in sessions:
        session.sync(expunge=True)
        now = view.snapshot()
        assert session.uids == now.uids.tolist()[: now.count]
        assert session.flags == {uid: view.flags(uid) for uid in session.uids}


def test_a_session_older_than_the_logs_is_still_right() -> None:
    view = MailboxView(1, 1, 1)
    total = 6000
    view.load(array("I", range(1, total + 1)), array("q", [0] * total), array("q", [1] * total), 1)
    session = Session(view)
    for step in range(2500):  # more than both logs keep
        view.change(step * 2 + 2, [(total - step, 7, step * 2 + 2)])
        view.expunge(step * 2 + 3, [step + 1])
        view.reach(step * 2 + 3)
    session.sync(expunge=True)
    now = view.snapshot()
    assert session.uids == now.uids.tolist()
    assert session.flags == {uid: view.flags(uid) for uid in session.uids}


def test_waiters_are_called_until_removed() -> None:
    view = MailboxView(1, 1, 1)
    calls: list[int] = []

    def waiter() -> None:
        calls.append(1)

    view.add_waiter(waiter)
    assert view.watched
    view.reach(2)
    view.remove_waiter(waiter)
    view.reach(3)
    assert calls == [1]


@given(st.sets(st.integers(1, 300)))
def test_uid_sets_round_trip(uids: set[int]) -> None:
    ordered = sorted(uids)
    assert uidset.decode(compact(ordered)) == ordered
