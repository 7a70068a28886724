"""Everything that is done to a demo: one function a kind, which returns what it did in a few words."""

import signal
import time
from collections.abc import Callable
from typing import Any

from tests.long.fault_proxy import Action, Rule
from tests.long.fault_scene import BAN_SECONDS, SYMBOL, Scene
from tests.process.demo_kills import GROUPS
from tests.process.demo_rig import PROCESSES, Client

Kind = Callable[[Scene], str]
ORDER, ALGO = "POST /fapi/v1/order", "POST /fapi/v1/algoOrder"
CANCEL, CANCEL_ALGO, AMEND = "DELETE /fapi/v1/order", "DELETE /fapi/v1/algoOrder", "PUT /fapi/v1/order"
MARKET_ONLY = (ORDER, ORDER, ALGO, CANCEL_ALGO)
CHANGING = (ORDER, ORDER, ORDER, ALGO, CANCEL, CANCEL_ALGO, AMEND)
ASKING = (
    "GET /fapi/v1/order",
    "GET /fapi/v1/openOrders",
    "GET /fapi/v1/userTrades",
    "GET /fapi/v3/*",
    "GET /fapi/*",
    "POST /fapi/v1/listenKey",
    "GET /fapi/v1/depth",
    "GET *",
)
"""Asked for when streams come back."""
STATUSES = (
    "unknown_executed",
    "unknown_not_executed",
    "timeout_executed",
    "timeout_not_executed",
    "unavailable",
    "throttled",
    "internal",
    "cut_before",
    "cut_after",
    "rate_limited",
    "banned",
    "forbidden",
)
REFUSALS = {
    ORDER: (-2019, -2022, -4131, -4164, -1111, -2010, -1015, -5028, -1021, -1006, -1000, -4400, -9999),
    ALGO: (-2021, -4045, -4120, -2019, -2022, -1021, -1006, -1007),
    AMEND: (-5021, -5022, -5027, -2013, -1021),
    CANCEL: (-2011, -1021, -1006),
    CANCEL_ALGO: (-2011, -1021, -1006),
}


def changing(scene: Scene) -> str:
    """A request that changes something, of those that the strategy makes."""
    return scene.random.choice(CHANGING if scene.script else MARKET_ONLY)


def choose(scene: Scene) -> str:
    """Any request; the streams are cut where that makes the gateway ask."""
    if scene.random.random() < 0.5:
        return changing(scene)
    scene.control("POST", "drop", route="")
    return scene.random.choice(ASKING)


def kill(scene: Scene) -> str:
    names = scene.random.choice(GROUPS)
    scene.killer.strike(names, in_flight=scene.random.random() < 0.6)
    return "+".join(names)


def stop(scene: Scene) -> str:
    """A process, or all of them as when a laptop sleeps, stands still."""
    names = scene.random.choice([*((name,) for name in PROCESSES), tuple(PROCESSES)])
    if scene.random.random() < 0.5:
        scene.wait_for_an_order()
    for name in names:
        scene.demo.send_signal(name, signal.SIGSTOP)
    seconds = scene.pause(15.0)
    for name in names:
        scene.demo.send_signal(name, signal.SIGCONT)
    return f"{'+'.join(names)} for {seconds} s"


def cut(scene: Scene) -> str:
    scene.wait_for_an_order()
    scene.proxy.cut()
    return "every connection to the exchange"


def hold(scene: Scene) -> str:
    """Half-open connections: nothing comes through, nothing is closed."""
    if scene.random.random() < 0.5:
        scene.wait_for_an_order()
    scene.proxy.hold()
    seconds = scene.pause(14.0)
    scene.proxy.release()
    return f"for {seconds} s"


def maintenance(scene: Scene) -> str:
    """Nobody listens at the exchange's address."""
    scene.proxy.refuse()
    seconds = scene.pause(12.0)
    scene.proxy.listen()
    return f"for {seconds} s"


def request(scene: Scene) -> str:
    """One request, or some, cut or answered by something in between."""
    actions: tuple[Action, ...] = (
        "half_request",
        "lost_answer",
        "half_answer",
        "late_answer",
        "page",
        "page_after",
    )
    action = scene.random.choice(actions)
    endpoint = changing(scene)
    times = scene.random.choice((1, 1, 2, 4))
    seconds = scene.random.choice((0.5, 3.0, 5.5, 8.0))
    scene.proxy.rules.append(Rule(endpoint.encode(), action, times, seconds))
    met = scene.wait_until_met()
    return f"{action} {endpoint} {times} times{'' if met else ', not met'}"


def drop(scene: Scene) -> str:
    route = scene.random.choice(("", "public", "market", "private", "private"))
    scene.wait_for_an_order()
    scene.control("POST", "drop", route=route)
    return f"streams of route {route!r}"


def silence(scene: Scene) -> str:
    """Streams stay open and say nothing: gaps in books and order events."""
    streams = scene.random.choice((["*@depth*"], ["*@markPrice*"], ["*"]))
    scene.control("POST", "silence", streams=streams)
    seconds = scene.pause(12.0)
    scene.control("POST", "silence", streams=[])
    return f"{streams} for {seconds} s"


def status(scene: Scene) -> str:
    """An HTTP status in place of the answer."""
    kind = scene.random.choice(STATUSES)
    endpoint = choose(scene)
    times = scene.random.choice((1, 1, 2, 5))
    more: dict[str, Any] = {}
    if kind in {"rate_limited", "banned"}:
        more["retry_after_s"] = scene.random.choice((2, 6))
    if kind == "forbidden":
        times, scene.stopped_seconds = 1, BAN_SECONDS
    scene.fault(endpoint, kind, times=times, **more)
    met = scene.wait_until_met()
    return f"{kind} {endpoint} {times} times{'' if met else ', not met'}"


def late(scene: Scene) -> str:
    """Answers behind every time limit, the request performed before or after the wait."""
    kind = scene.random.choice(("delay_before", "delay_after"))
    endpoint = choose(scene)
    delay_ms = scene.random.choice((300, 2_000, 4_900, 5_500, 9_000))
    scene.fault(endpoint, kind, times=scene.random.choice((1, 3)), delay_ms=delay_ms)
    met = scene.wait_until_met()
    return f"{kind} {endpoint} {delay_ms} ms{'' if met else ', not met'}"


def refusal(scene: Scene) -> str:
    """The exchange says no, with a code."""
    endpoint = scene.random.choice(
        sorted(set(REFUSALS) if scene.script else set(REFUSALS) & set(MARKET_ONLY))
    )
    code = scene.random.choice(REFUSALS[endpoint])
    times = scene.random.choice((1, 1, 3))
    scene.fault(endpoint, "error", code=code, http_status=400, message=f"made up {code}", times=times)
    met = scene.wait_until_met()
    return f"{code} {endpoint} {times} times{'' if met else ', not met'}"


def events(scene: Scene) -> str:
    """User events are lost, come twice, or late and so in another order."""
    action = scene.random.choice(("lose", "lose", "duplicate", "delay"))
    event = scene.random.choice(("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE", "*"))
    times = scene.random.choice((1, 2, 3, 8))
    delay_ms = scene.random.choice((50, 500, 3_000, 8_000)) if action == "delay" else 0
    scene.control("POST", "events", event=event, action=action, times=times, delay_ms=delay_ms)
    met = scene.wait_until_met()
    return f"{action} {event} {times} times {delay_ms} ms{'' if met else ', not met'}"


def deaf(scene: Scene) -> str:
    """The exchange tells nothing of orders and account for a while, on a stream that seems well."""
    scene.control("POST", "events", event="*", action="lose", times=None)
    scene.wait_for_an_order()
    seconds = scene.pause(20.0)
    scene.control("DELETE", "faults")
    return f"for {seconds} s"


def listen_key(scene: Scene) -> str:
    """All listen keys end; at times no new one is to be had at once."""
    failing = scene.random.choice((0, 0, 1, 3))
    if failing:
        scene.fault("POST /fapi/v1/listenKey", "internal", times=failing)
    scene.control("DELETE", "listenKey")
    scene.wait_until_met()
    return f"ended, {failing} failures of new ones"


def clock(scene: Scene) -> str:
    """The exchange's clock jumps, and jumps back."""
    skew_ms = scene.random.choice((-5_000, -1_500, -400, 400, 900, 1_500, 5_000))
    scene.control("POST", "clock", skew_ms=skew_ms)
    seconds = scene.pause(12.0)
    scene.control("POST", "clock", skew_ms=0)
    return f"{skew_ms} ms for {seconds} s"


def other_hand(scene: Scene) -> str:
    """Somebody trades on the same account in the app, and later takes it back."""
    side, back = scene.random.choice((("BUY", "SELL"), ("SELL", "BUY")))
    quantity = scene.random.choice(("0.001", "0.004"))
    for one in (side, back):
        done = scene.control("POST", "order", symbol=SYMBOL, side=one, type="MARKET", quantity=quantity)
        scene.by_hand.add(done["clientOrderId"])
        scene.pause(8.0)
    return f"{side} {quantity} and back"


def closed_by_hand(scene: Scene) -> str:
    """Somebody closes the position in the app."""
    rows = Client.of(scene.demo).get("/fapi/v2/positionRisk", symbol=SYMBOL)
    amount = next((row["positionAmt"] for row in rows if float(row["positionAmt"])), "")
    if not amount:
        return "nothing was open"
    side = "BUY" if amount.startswith("-") else "SELL"
    done = scene.control(
        "POST",
        "order",
        symbol=SYMBOL,
        side=side,
        type="MARKET",
        quantity=amount.lstrip("-"),
        reduceOnly="true",
    )
    scene.by_hand.add(done["clientOrderId"])
    return f"{side} {amount}"


def limits(scene: Scene) -> str:
    """The minute's requests are used up by somebody else on this address."""
    scene.control("POST", "limits", exhaust=True)
    seconds = scene.pause(20.0)
    scene.control("POST", "limits", reset=True)
    return f"used up for {seconds} s"


def price(scene: Scene) -> str:
    """The market jumps: stops and targets are hit."""
    state = scene.control("GET", "state")
    last = float(state["symbols"][SYMBOL]["last"])
    jump = scene.random.choice((-0.06, -0.003, 0.003, 0.06)) * (0.5 + scene.random.random())
    scene.control("POST", "price", symbol=SYMBOL, last=f"{last * (1 + jump):.1f}")
    return f"{100 * jump:+.2f} %"


def kill_amid(scene: Scene) -> str:
    """An order meets trouble on its way, and a process dies before it is over."""
    endpoint = changing(scene)
    kind = scene.random.choice(
        ("unknown_executed", "timeout_executed", "cut_after", "delay_after", "delay_before")
    )
    scene.fault(endpoint, kind, delay_ms=1_500)
    scene.control(
        "POST", "events", event="*", action=scene.random.choice(("lose", "delay")), times=3, delay_ms=2_000
    )
    scene.wait_for_an_order()
    time.sleep(scene.random.random() * 2.0)
    names = scene.random.choice(
        (("engine",), ("engine",), ("gateway",), ("simulator",), ("gateway", "engine"))
    )
    scene.killer.strike(names, in_flight=False)
    scene.wait_until_met(5.0)
    return f"{kind} {endpoint}, {'+'.join(names)} killed"


def pair(scene: Scene) -> str:
    """Two kinds, the second before all is well after the first."""
    names = scene.random.sample(sorted(set(KINDS) - {"pair"}), 2)
    return "; ".join(f"{name}: {KINDS[name](scene)}" for name in names)


KINDS: dict[str, Kind] = {
    "kill": kill,
    "stop": stop,
    "cut": cut,
    "hold": hold,
    "maintenance": maintenance,
    "request": request,
    "drop": drop,
    "silence": silence,
    "status": status,
    "late": late,
    "refusal": refusal,
    "events": events,
    "deaf": deaf,
    "listen_key": listen_key,
    "clock": clock,
    "other_hand": other_hand,
    "closed_by_hand": closed_by_hand,
    "limits": limits,
    "price": price,
    "kill_amid": kill_amid,
    "pair": pair,
}
WEIGHTS = {
    "pair": 5,
    "request": 3,
    "status": 3,
    "refusal": 3,
    "events": 3,
    "late": 2,
    "kill": 2,
    "kill_amid": 2,
    "stop": 2,
}
