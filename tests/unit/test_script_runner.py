"""Scripts, played by real processes that meet on this machine's loopback: what each step gave, and every event."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator

import pytest

from netsim import script_runner
from netsim.errors import InputError, LabError
from netsim.model.action import Connect
from netsim.model.endpoint import Endpoint
from netsim.model.event import Missed
from netsim.model.result import Exited, Signalled
from tests.unit.local_lab import HERE
from tests.unit.played import Between, Played, local
from tests.unit.processes.traced import trace


@pytest.fixture
def played() -> Iterator[Played]:
    made = local()
    with made.lab, made.runner:
        yield made
    assert made.lab.children == {}


def has_returned(who: str) -> Between:
    """Wait until a call that was started has returned, whether the runner has taken that in or not."""

    def wait(played: Played) -> None:
        process = played.runner._scripted[who]
        assert process.done is not None or select.select([process.child.sock], [], [], 30)[0]

    return wait


CONNECTED = ("server: listen PORT", "client: connect server:PORT", "server: accept")
CONNECTED_SAID = [
    "0 server a: listen PORT = ok",
    f"1 client b: connect {HERE}:PORT = ok",
    "2 server a: accept = ok, which is c",
]


class TestCalls:
    def test_a_connection_from_its_beginning_to_its_end(self, played: Played) -> None:
        said = played.play(
            *CONNECTED,
            "client: send 5 = 5",
            "server: poll IN OUT = IN OUT",
            "server: recv = 5",
            "server: shutdown wr = ok",
            "client: recv = eof",
            "client: send 1 = 1",
            "server: recv 1 waitall = 1",
            "client: close",
            "server: recv = eof",
        )
        assert said == [*["ok"] * 3, "5", "IN OUT", "5", "ok", "eof", "1", "1", "ok", "eof"]
        assert played.end() == [
            *CONNECTED_SAID,
            "3 client b: send 5 = 5",
            "4 server c: poll IN OUT = IN OUT",
            "5 server c: recv = 5",
            "6 server c: shutdown wr = ok",
            "7 client b: recv = eof",
            "8 client b: send 1 = 1",
            "9 server c: recv 1 waitall = 1",
            "10 client b: close = ok",
            "11 server c: recv = eof",
        ]

    def test_a_reset_is_told_by_every_call_that_feels_it(self, played: Played) -> None:
        said = played.play(
            *CONNECTED, "server: set linger 0", "server: close", "client: poll", "client: error = ECONNRESET",
            "client: error", "client: send 1 = EPIPE", "client: recv = eof",
        )  # fmt: skip
        assert said[3:] == ["ok", "ok", "ERR HUP", "ECONNRESET", "ok", "EPIPE", "eof"]
        assert played.end() == [
            *CONNECTED_SAID,
            "3 server c: set linger 0 = ok",
            "4 server c: close = ok",
            "5 client b: poll = ERR HUP",
            "6 client b: error = ECONNRESET",
            "7 client b: error = ok",
            "8 client b: send 1 = EPIPE",
            "9 client b: recv = eof",
        ]

    def test_a_refused_connect(self, played: Played) -> None:
        assert played.play("client: bind OTHER", "client: connect server:PORT = ok") == ["ok", "ECONNREFUSED !"]
        assert played.end() == [
            "0 client a: bind OTHER = ok", f"1 client a: connect {HERE}:PORT = ECONNREFUSED",
        ]  # fmt: skip

    def test_a_call_on_no_socket(self, played: Played) -> None:
        assert played.play("client: recv", "client: close third", "client: signal SIGPIPE default") == [
            "EBADF", "EBADF", "ok",
        ]  # fmt: skip
        assert played.end() == [
            "0 client: recv = EBADF", "1 client: close third = EBADF", "2 client: signal SIGPIPE default = ok",
        ]  # fmt: skip

    def test_a_call_has_its_ends_its_process_and_its_time(self, played: Played) -> None:
        before = time.monotonic_ns()
        played.play(*CONNECTED, "client: send 1")
        after = time.monotonic_ns()
        listen, connect, accept, send = played.calls
        server = Endpoint(HERE, played.port)
        assert (listen.local, listen.remote) == (Endpoint("0.0.0.0", played.port), None)
        assert connect.action == Connect(HERE, played.port)
        assert (connect.remote, accept.local, accept.remote) == (server, server, connect.local)
        assert (send.local, send.remote) == (connect.local, server)
        assert connect.pid == send.pid != listen.pid
        assert {call.node for call in played.calls} == {"client", "server"}
        times = [time_ns for call in played.calls for time_ns in (call.time_ns, call.end_ns)]
        assert before <= times[0]
        assert times == sorted(times)
        assert times[-1] <= after
        assert [(r.start_ns, r.end_ns) for r in played.results] == [(c.time_ns, c.end_ns) for c in played.calls]

    @pytest.mark.parametrize(
        ("step", "said"),
        [
            ("client: recv 1 = 1", "1"),
            ("client: recv 1", "1"),
            ("client: recv 1 = 2", "1 !"),
            ("client: recv 1 = ok", "1 !"),
            ("client: recv 1 = ECONNRESET", "1 !"),
        ],
    )
    def test_what_was_expected_is_compared(self, played: Played, step: str, said: str) -> None:
        assert played.play(*CONNECTED, "server: send 1", step)[-1] == said


class TestSockets:
    def test_two_processes_with_several_sockets_each(self, played: Played) -> None:
        said = played.play(
            "server: listen PORT", "server: listen OTHER as second",
            "client: connect server:PORT as one", "client: connect server:OTHER as two",
            "server: accept on second as y", "server: accept as x",
            "client: send 1 on one", "client: send 2 on two",
            "server: recv on y = 2", "server: recv on x = 1",
            "client: close one", "server: recv on x = eof", "client: send 3 on two", "server: recv on y = 3",
        )  # fmt: skip
        assert [one for one in said if one.endswith("!")] == []
        assert played.end() == [
            "0 server a: listen PORT = ok",
            "1 server b: listen OTHER as second = ok",
            f"2 client c: connect {HERE}:PORT as one = ok",
            f"3 client d: connect {HERE}:OTHER as two = ok",
            "4 server b: accept on second as y = ok, which is e",
            "5 server a: accept as x = ok, which is f",
            "6 client c: send 1 on one = 1",
            "7 client d: send 2 on two = 2",
            "8 server e: recv on y = 2",
            "9 server f: recv on x = 1",
            "10 client c: close one = ok",
            "11 server f: recv on x = eof",
            "12 client d: send 3 on two = 3",
            "13 server e: recv on y = 3",
        ]

    def test_a_name_that_is_used_again_is_another_socket(self, played: Played) -> None:
        played.play(*CONNECTED, "client: close", "client: connect server:PORT", "server: accept", "client: send 1")
        assert played.end()[3:] == [
            "3 client b: close = ok",
            f"4 client d: connect {HERE}:PORT = ok",
            "5 server a: accept = ok, which is e",
            "6 client d: send 1 = 1",
        ]

    def test_processes_of_one_node_have_their_own(self, played: Played) -> None:
        said = played.play("server: listen PORT", "client.a: connect server:PORT", "client.b: send 1")
        assert said == ["ok", "ok", "EBADF"]
        assert len({call.pid for call in played.calls}) == 3


class TestStarted:
    def test_a_call_that_is_finished_by_a_later_step(self, played: Played) -> None:
        """It is the finishing step's, and began when the starting one was played."""
        said = played.play(
            "server: listen PORT", "server: start accept", "client: connect server:PORT", "server: finish = ok",
            "client: start recv 5 waitall", "server: send 5", "client: finish = 5",
        )  # fmt: skip
        assert said == ["ok", "...", "ok", "ok", "...", "5", "5"]
        assert played.end() == [
            "0 server a: listen PORT = ok",
            f"2 client b: connect {HERE}:PORT = ok",
            "3 server a: accept = ok, which is c",
            "5 server c: send 5 = 5",
            "6 client b: recv 5 waitall = 5",
        ]
        accept = next(call for call in played.calls if call.name == "accept")
        assert played.results[1].start_ns <= accept.time_ns
        assert accept.end_ns <= played.results[3].end_ns

    def test_what_finishes_while_another_step_waits_is_taken_in(self, played: Played) -> None:
        said = played.play(
            *CONNECTED, "client: start recv", "server.other: connect server:PORT as x", "server: send 5",
            has_returned("client"), "lab: wait 1ms", "client: finish = 5", "client: recv = timeout within 5ms",
        )  # fmt: skip
        assert said[3:] == ["...", "ok", "5", "ok", "5", "timeout"]
        recv = next(call for call in played.calls if call.name == "recv")
        wait, finish = played.results[6], played.results[7]
        assert recv.end_ns < wait.end_ns
        assert (finish.start_ns, finish.end_ns) == (recv.time_ns, recv.end_ns)

    def test_several_at_once(self, played: Played) -> None:
        said = played.play(
            *CONNECTED, "server: start recv", "client: start recv", "server.c: start connect server:PORT",
            "server.c: finish", "server.c: send 1",
        )  # fmt: skip
        assert said[3:] == ["...", "...", "...", "ok", "1"]
        assert [line for line in played.end() if "recv" in line] == [
            "3 server c: recv", "4 client b: recv",
        ]  # fmt: skip

    def test_one_that_nobody_finishes_had_not_returned_when_the_script_was_over(self, played: Played) -> None:
        """Which socket it is on is known from the calls before, although its process has said nothing of it."""
        played.play(*CONNECTED, "client: start recv")
        end_ns = time.monotonic_ns()
        played.runner.end(end_ns)
        assert played.transcript()[3:] == ["3 client b: recv"]
        assert played.calls[-1].end_ns == end_ns

    @pytest.mark.parametrize("name", ["connection", "two"])
    def test_a_connect_that_nobody_finishes(self, played: Played, name: str) -> None:
        """The queue of the listener holds one connection, and the kernel drops the next SYN in silence."""
        played.play("server: listen PORT backlog 0", "client: connect server:PORT")
        played.play(f"client: start connect server:PORT as {name}")
        assert played.end()[2].replace(f" as {name}", "") == f"2 client c: connect {HERE}:PORT"
        assert (played.calls[-1].local, played.calls[-1].remote) == (None, Endpoint(HERE, played.port))

    def test_and_on_which_socket_where_that_was_there_before(self, played: Played) -> None:
        played.play("server: listen PORT backlog 0", "client: connect server:PORT", "client: bind OTHER on two")
        played.play("client: start connect server:PORT as two")
        assert played.end()[2:] == [
            "2 client c: bind OTHER on two = ok",
            f"3 client c: connect {HERE}:PORT as two",
        ]

    def test_one_that_had_finished_by_the_end_tells_how(self, played: Played) -> None:
        played.play(*CONNECTED, "client: start recv", "server: send 5", "client.other: connect server:PORT")
        has_returned("client")(played)
        assert played.end()[3] == "3 client b: recv = 5"

    def test_another_call_of_the_same_process_has_to_wait(self, played: Played) -> None:
        played.play(*CONNECTED, "client: start recv 7")
        with pytest.raises(LabError, match=r"^send 1 on client failed: EBUSY \('start recv 7' is not finished\)$"):
            played.play("client: send 1")

    @pytest.mark.parametrize("before", [(), ("client: recv",), ("client: start recv", "client: finish")])
    def test_what_was_not_started_cannot_be_finished(self, played: Played, before: tuple[str, ...]) -> None:
        played.play(*CONNECTED, "server: send 5", *before)
        with pytest.raises(LabError, match=r"^finish on client failed: EINVAL \(no call was started, or its machine"):
            played.play("client: finish")


class TestLimits:
    def test_a_call_that_blocks_is_given_up_and_the_process_goes_on(self, played: Played) -> None:
        said = played.play(
            *CONNECTED, "client: recv = 5 within 20ms", "client: recv = timeout within 10ms", "server: send 5",
            "client: recv = 5",
        )  # fmt: skip
        assert said[3:] == ["timeout !", "timeout", "5", "5"]
        assert played.end()[3:] == [
            "3 client b: recv = timeout",
            "4 client b: recv = timeout",
            "5 server c: send 5 = 5",
            "6 client b: recv = 5",
        ]  # fmt: skip
        assert 20_000_000 <= played.calls[3].end_ns - played.calls[2].end_ns < 2_000_000_000

    def test_the_limit_of_a_started_call_is_that_of_its_finish(self, played: Played) -> None:
        assert played.play(*CONNECTED, "client: start recv", "client: finish = timeout within 10ms")[-1] == "timeout"

    def test_a_result_that_comes_before_the_limit_is_not_waited_for(self, played: Played) -> None:
        began = time.monotonic()
        assert played.play(*CONNECTED, "server: send 5", "client: recv = 5 within 10min")[-1] == "5"
        assert time.monotonic() - began < 60

    @pytest.mark.parametrize("call", ["recv", "accept", "poll IN"])
    def test_no_time_at_all(self, played: Played, call: str) -> None:
        said = played.play(*CONNECTED, f"server: {call} = timeout within 0ms", "client: send 1", "server: recv")
        assert said[3:] == ["timeout", "1", "1"]

    def test_a_process_that_does_not_come_back_is_killed(self, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(script_runner, "_CANCEL_S", 0.05)
        played.play(*CONNECTED)
        os.kill(played.runner._scripted["client"].child.pid, signal.SIGSTOP)
        assert played.play("client: recv = timeout within 10ms", "client: recv") == ["signal SIGKILL !", "EBADF"]
        assert played.end()[3:] == [
            "3 client b: recv = signal SIGKILL",
            "3 client ends: signal SIGKILL",
            "4 client: recv = EBADF",
        ]

    def test_wait(self, played: Played) -> None:
        assert played.play("lab: wait 30ms") == ["ok"]
        (result,) = played.results
        assert 30_000_000 <= result.end_ns - result.start_ns < 2_000_000_000
        assert played.end() == []


class TestEnds:
    @pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM", "SIGSEGV"])
    def test_a_process_that_is_killed_while_it_has_nothing_to_do(self, played: Played, number: str) -> None:
        said = played.play(*CONNECTED, f"client: kill {number}", "server: recv = eof", "client: recv")
        assert said[3:] == [f"signal {number}", "eof", "EBADF"]  # the last one is another process's
        assert played.end()[3:] == [
            f"3 client ends: signal {number}", "4 server c: recv = eof", "5 client: recv = EBADF",
        ]  # fmt: skip
        assert played.calls[-1].pid != played.ends[0].pid == played.calls[1].pid

    def test_one_that_is_killed_in_a_call_tells_its_end_when_it_is_finished(self, played: Played) -> None:
        said = played.play(
            *CONNECTED, "client: start recv", "lab: wait 20ms", "client: kill = signal SIGKILL", "server: recv = eof",
            "client: finish = signal SIGKILL",
        )  # fmt: skip
        assert said[3:] == ["...", "ok", "signal SIGKILL", "eof", "signal SIGKILL"]
        assert played.end()[3:] == [
            "3 client ends: signal SIGKILL", "6 server c: recv = eof", "7 client b: recv = signal SIGKILL",
        ]  # fmt: skip

    def test_its_call_began_when_it_was_started_and_its_end_came_after_the_kill(self, played: Played) -> None:
        played.play(*CONNECTED, "client: start recv", "lab: wait 20ms", "client: kill", "client: finish")
        (end,), recv = played.ends, played.calls[-1]
        started, waited, kill, finish = played.results[3:]
        assert started.start_ns <= recv.time_ns <= started.end_ns
        assert end.began_ns is not None
        assert waited.end_ns <= end.began_ns <= end.time_ns <= kill.end_ns
        assert (finish.start_ns, finish.end_ns) == (recv.time_ns, recv.end_ns)

    def test_nobody_need_finish_a_call_that_was_killed(self, played: Played) -> None:
        played.play(*CONNECTED, "client: start recv", "client: kill")
        assert played.end()[3:] == ["3 client b: recv = signal SIGKILL", "3 client ends: signal SIGKILL"]

    def test_a_new_process_of_its_name_may_call_before_the_old_one_is_finished(self, played: Played) -> None:
        said = played.play(
            *CONNECTED, "client: start recv", "client: kill", "client: connect server:PORT", "client: start recv",
            "client: finish", "server: accept as d", "server: send 3 on d", "client: finish",
        )  # fmt: skip
        assert said[3:] == ["...", "signal SIGKILL", "ok", "...", "signal SIGKILL", "ok", "3", "3"]

    def test_nobody_need_finish_any_of_them(self, played: Played) -> None:
        played.play(
            "server: listen PORT", "server: start accept", "server: kill", "server: listen OTHER",
            "server: start accept", "server: kill",
        )  # fmt: skip
        assert played.end() == [
            "0 server a: listen PORT = ok",
            "1 server a: accept = signal SIGKILL",
            "1 server ends: signal SIGKILL",
            "3 server b: listen OTHER = ok",
            "4 server b: accept = signal SIGKILL",
            "4 server ends: signal SIGKILL",
        ]

    def test_an_accept_is_on_its_listener_however_it_ends(self, played: Played) -> None:
        played.play(*CONNECTED, "server: start accept", "server: kill", "server: finish = signal SIGKILL")
        assert played.end()[3:] == ["3 server ends: signal SIGKILL", "5 server a: accept = signal SIGKILL"]

    def test_a_write_to_a_dead_connection_kills_who_takes_sigpipe(self, played: Played) -> None:
        said = played.play(
            *CONNECTED, "client: signal SIGPIPE default", "server: set linger 0", "server: close", "client: poll",
            "client: error", "client: send 1 = signal SIGPIPE",
        )  # fmt: skip
        assert said[-1] == "signal SIGPIPE"
        assert played.end()[-2:] == ["8 client b: send 1 = signal SIGPIPE", "8 client ends: signal SIGPIPE"]

    def test_the_call_that_killed_is_told_with_the_ends_of_its_socket(self, played: Played) -> None:
        """Its process can no longer say them: they are known from the calls before."""
        played.play(*CONNECTED, "client: start recv", "client: kill", "server: accept as d = timeout within 1ms")
        played.end()
        recv = next(call for call in played.calls if call.name == "recv")
        assert (recv.local, recv.remote) == (played.calls[1].local, Endpoint(HERE, played.port))

    def test_of_an_accepted_connection_too(self, played: Played) -> None:
        played.play(*CONNECTED, "server: start recv", "server: kill")
        assert played.end()[3:] == ["3 server c: recv = signal SIGKILL", "3 server ends: signal SIGKILL"]

    def test_a_call_that_makes_its_socket_is_on_none_yet(self, played: Played) -> None:
        played.play("server: listen PORT", "server: start accept as x", "server: kill")
        assert played.end()[1:] == ["1 server a: accept as x = signal SIGKILL", "1 server ends: signal SIGKILL"]

    def test_somebody_else_may_have_killed_it(self, played: Played) -> None:
        """A person, or the kernel for want of memory: the next call tells."""

        def kill(played: Played) -> None:
            child = played.runner._scripted["client"].child
            os.kill(child.pid, signal.SIGKILL)
            assert select.select([child.pidfd], [], [], 10)[0]

        said = played.play(*CONNECTED, kill, "client: send 1", "client: send 1")
        assert said[3:] == ["signal SIGKILL", "EBADF"]
        assert played.end()[3:] == [
            "3 client b: send 1 = signal SIGKILL", "3 client ends: signal SIGKILL", "4 client: send 1 = EBADF",
        ]  # fmt: skip

    def test_a_signal_that_is_ignored_ends_nothing(self, played: Played) -> None:
        said = played.play(*CONNECTED, "client: signal SIGTERM ignore", "client: kill SIGTERM", "client: send 1")
        assert said[3:] == ["ok", "ok", "1"]
        assert played.ends == []

    def test_nor_does_it_in_a_call(self, played: Played) -> None:
        said = played.play(
            *CONNECTED, "client: signal SIGTERM ignore", "client: start recv", "client: kill SIGTERM = ok within 20ms",
            "server: send 1", "client: finish = 1",
        )  # fmt: skip
        assert said[3:] == ["ok", "...", "ok", "1", "1"]


class TestPower:
    def test_a_crash_and_a_boot(self, played: Played) -> None:
        """A machine without power says nothing: its processes' ends are no events."""
        said = played.play(
            *CONNECTED,
            "server: crash",
            "server: boot",
            "server: listen OTHER = ok",
            "client: connect server:OTHER = ok",
        )
        assert said[3:] == ["ok"] * 4
        assert played.lab.done == [
            "stop listening server", "power_off server", "power_on server", "listen server",
        ]  # fmt: skip
        assert played.runner.rebooted == {"server"}
        assert played.end()[3:] == [
            "3 server: crash",
            "4 server: boot",
            "5 server d: listen OTHER = ok",
            f"6 client e: connect {HERE}:OTHER = ok",
        ]
        assert played.calls[0].pid != played.calls[3].pid

    def test_a_call_that_goes_with_its_machine_never_returns(self, played: Played) -> None:
        said = played.play(*CONNECTED, "server: start recv", "server: crash")
        assert said[3:] == ["...", "ok"]
        assert played.end()[3:] == ["3 server c: recv", "4 server: crash"]
        (recv,) = (call for call in played.calls if call.name == "recv")
        assert recv.result is None
        assert played.results[3].end_ns <= recv.end_ns <= played.results[4].end_ns

    def test_and_there_is_nothing_left_of_it_to_finish(self, played: Played) -> None:
        played.play(*CONNECTED, "server: start recv", "server: crash", "server: boot")
        with pytest.raises(LabError, match="or its machine lost power"):
            played.play("server: finish")

    def test_one_that_had_returned_by_then_has_its_result(self, played: Played) -> None:
        played.play(*CONNECTED, "server: start recv", "client: send 5", has_returned("server"), "server: crash")
        assert played.end()[3] == "3 server c: recv = 5"

    def test_who_only_knows_it_while_there_is_power_is_told_first(self, played: Played) -> None:
        played.runner.about_to_leave = lambda node: played.lab.done.append(f"count {node}")
        played.play("server: crash")
        assert played.lab.done == ["count server", "stop listening server", "power_off server"]

    @pytest.mark.parametrize("step", ["server: listen PORT", "server.x: recv", "server: run true", "server: crash"])
    def test_nobody_can_do_anything_without_power(self, played: Played, step: str) -> None:
        played.play("server: crash")
        with pytest.raises(LabError, match=r"^act on server failed: EHOSTDOWN \(it is switched off; 'boot' comes"):
            played.play(step)

    def test_a_machine_that_runs_cannot_boot(self, played: Played) -> None:
        with pytest.raises(LabError, match=r"^boot on server failed: EALREADY \(it is running\)$"):
            played.play("server: boot")

    def test_the_other_machines_go_on(self, played: Played) -> None:
        said = played.play(*CONNECTED, "fw: crash", "client: send 1", "server: recv = 1")
        assert said[3:] == ["ok", "1", "1"]

    def test_a_program_goes_with_its_machine(self, played: Played) -> None:
        """Its calls were not seen: nobody could ask for them in time."""
        said = played.play("server: start run sleep 1000", "server: crash", "server: boot", "server: run true")
        assert said == ["...", "ok", "ok", "exit 0"]
        assert played.runner.untraced
        assert [line for line in played.end() if "ends" in line] == ["3 server ends: exit 0"]


class TestFaults:
    def test_cut_heal_rule_and_sysctl(self, played: Played) -> None:
        played.lab.sysctls["server", "net.ipv4.tcp_retries2"] = "15"
        said = played.play(
            "client -- fw: cut to fw = ok", "fw: drop tcp dport 80", "server: sysctl net.ipv4.tcp_retries2=3",
            "client -- fw: heal",
        )  # fmt: skip
        assert said == ["ok"] * 4
        assert played.lab.done == [
            "cut 0 to fw", "place fw: drop tcp dport 80", "sysctl server: net.ipv4.tcp_retries2=3", "heal 0 to fw",
        ]  # fmt: skip
        assert [effect.who for effect in played.runner.in_force] == ["fw", "server"]
        assert played.end() == [
            "0 client -- fw: cut to fw", "1 fw: drop tcp dport 80", "2 server: sysctl net.ipv4.tcp_retries2=3",
            "3 client -- fw: heal",
        ]  # fmt: skip

    def test_what_comes_back_with_the_machine(self, played: Played) -> None:
        played.play("client -- fw: cut", "fw: drop tcp", "fw: crash", "fw: boot")
        assert played.lab.done[3:] == ["stop listening fw", "power_off fw", "power_on fw", "cut 0 to fw", "listen fw"]
        assert [effect.who for effect in played.runner.in_force] == ["client -- fw"]

    def test_a_fault_took_effect_within_its_step(self, played: Played) -> None:
        before = time.monotonic_ns()
        played.play("client -- fw: cut")
        (fault,), (result,) = played.events, played.results
        assert before <= fault.time_ns == result.start_ns
        assert result.end_ns <= time.monotonic_ns()

    @pytest.mark.parametrize(("expected", "said"), [("ok", "ok"), ("ECONNRESET", "ok !")])
    def test_a_fault_is_ok_or_an_error(self, played: Played, expected: str, said: str) -> None:
        assert played.play(f"client -- fw: cut = {expected}") == [said]

    def test_what_the_kernel_refuses_ends_the_script(self, played: Played) -> None:
        played.lab.refuse = "place fw: drop tcp"
        with pytest.raises(LabError, match=r"^place on fw failed: EPERM"):
            played.play("fw: drop tcp")
        assert played.events == []


class TestPrograms:
    def test_a_program_that_ends(self, played: Played) -> None:
        said = played.play("client: run sh -c 'echo hello; exit 3' = exit 3", "client: run true = ok")
        assert said == ["exit 3", "exit 0"]
        assert played.end() == ["0 client ends: exit 3", "1 client ends: exit 0"]
        end = played.ends[0]
        assert (end.output, end.closed, end.outcome) == ("hello\n", (), Exited(3))
        assert played.runner.untraced

    def test_its_calls_as_strace_tells_them(self, played: Played) -> None:
        to = '{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.2")}'
        told = trace(
            f"2 connect(4<TCP:[1]>, {to}, 16) = 0",
            "2 clone(child_stack=NULL, flags=SIGCHLD) = 3",
            "2 close(4<TCP:[10.0.0.1:40000->10.0.0.2:80]>) = 0",
            "3 +++ killed by SIGKILL +++",
            f"2 connect(5<TCP:[1]>, {to}, 16) = 0",
            "2 +++ exited with 0 +++",
        )
        assert played.play(f"client: run printf 'out TRACE=%s' '{told}' = ok") == ["exit 0"]
        assert played.end() == [
            "0 client a: connect 10.0.0.2:80 = ok",
            "0 client a: close = ok",
            "0 client ends: signal SIGKILL",
            "0 client b: connect 10.0.0.2:80 = ok",
            "0 client ends: exit 0",
        ]
        child, program = played.ends
        assert (child.closed, program.closed) == ((played.calls[0].socket,), (played.calls[2].socket,))
        assert (child.output, program.output) == ("", "out ")
        assert not played.runner.untraced

    def test_lines_of_strace_s_that_were_too_many_are_told_to_be_missing(self, played: Played) -> None:
        played.play("client: run printf 'TRACE=2 1.0 close(4<TCP:[1]>) = 0\n... 7 lines are missing\n' = ok")
        missed = [event for event in played.events if isinstance(event, Missed)]
        assert [(event.node, event.of, event.count) for event in missed] == [("client", "call", 7)]

    def test_one_that_runs_beside_the_script(self, played: Played) -> None:
        said = played.play(
            "client: start run sh -c 'read x; exit 5'", "client: connect server:1", "client: finish = exit 5"
        )
        assert said == ["...", "ECONNREFUSED", "exit 5"]

    def test_one_that_takes_too_long_is_killed(self, played: Played) -> None:
        said = played.play("client: run sleep 1000 = exit 0 within 20ms", "client: run true")
        assert said == ["timeout !", "exit 0"]
        assert played.end() == ["0 client ends: signal SIGKILL", "1 client ends: exit 0"]

    def test_one_that_does_not_even_end_when_it_is_killed(
        self, played: Played, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(script_runner.ScriptRunner._kill_program, "__defaults__", (0.02,))

        def stop(played: Played) -> None:
            os.kill(played.runner._programs["client"].child.pid, signal.SIGSTOP)

        with pytest.raises(LabError, match=r"^end on client failed: ETIMEDOUT \('start run sleep 1' does not end\)$"):
            played.play("client: start run sleep 1", stop, "client: finish = timeout within 1ms")

    def test_killing_one(self, played: Played) -> None:
        said = played.play(
            "client: start run sleep 1000", "client: kill SIGTERM", "client: finish = signal SIGTERM",
        )  # fmt: skip
        assert said == ["...", "ok", "signal SIGTERM"]
        assert played.end() == ["2 client ends: signal SIGTERM"]
        (end,) = played.ends
        assert end.began_ns is not None
        assert played.results[1].start_ns <= end.began_ns <= end.time_ns

    def test_nobody_need_finish_it(self, played: Played) -> None:
        played.play("client: start run sleep 1000", "client: kill", "client: start run sh -c 'exit 1'")
        assert played.ends[0].outcome == Signalled("SIGKILL")
        assert played.ends[0].step == 0
        assert played.end()[0] == "0 client ends: signal SIGKILL"
        assert len(played.ends) == 2

    def test_one_that_still_runs_at_the_end_is_killed(self, played: Played) -> None:
        played.play("client: start run sleep 1000")
        assert played.end() == ["0 client ends: signal SIGKILL"]

    def test_two_at_once_of_the_same_name_there_are_not(self, played: Played) -> None:
        played.play("client: start run sleep 1000")
        with pytest.raises(LabError, match=r"^run true on client failed: EBUSY \('start run sleep 1000' has not ended"):
            played.play("client: run true")

    def test_a_program_that_there_is_not(self, played: Played) -> None:
        with pytest.raises(InputError, match="cannot run '/no/such-program'"):
            played.play("client: run /no/such-program")

    @pytest.mark.parametrize(("step", "said"), [("client: finish", "signal SIGKILL"), ("client: kill", "ok")])
    def test_one_whose_overseer_is_killed(self, played: Played, step: str, said: str) -> None:
        """It goes with its overseer, as the kernel sees to that."""

        def kill(played: Played) -> None:
            child = played.runner._programs["client"].child
            os.kill(child.pid, signal.SIGKILL)
            assert select.select([child.pidfd], [], [], 30)[0]

        assert played.play("client: start run sleep 0.01", kill, step) == ["...", said]
        assert [line.partition(" ")[2] for line in played.end()] == ["client ends: signal SIGKILL"]
        assert played.runner.untraced


class TestRehearsal:
    def test_every_process_is_there_before_the_first_step(self, played: Played) -> None:
        steps = ["server: listen PORT", "client: connect server:PORT", "client.b: run true", "client.c: kill",
                 "client -- fw: cut", "lab: wait 1ms", "client: finish"]  # fmt: skip
        played.runner.rehearse([played.step(text) for text in steps])
        assert sorted(played.lab.children.values()) == ["client", "server"]
        pids = set(played.lab.children)
        played.play(*steps[:2])
        assert {call.pid for call in played.calls} == pids


def test_what_is_left_is_let_go_of() -> None:
    """A library's tests play thousands of scripts in one process."""
    before = len(os.listdir("/proc/self/fd"))
    made = local()
    with made.lab, made.runner:
        made.play(*CONNECTED, "client: start recv", "server: crash", "fw: recv", "client: start run sleep 1000")
    assert len(os.listdir("/proc/self/fd")) == before
