"""A state folder written before snapshots had slices is read, and goes on in the new form."""

import base64
import zlib
from pathlib import Path

from gateways.simulator.exchange import account_queries, history_queries, order_queries
from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.store.persistence import Persistence
from tests.support.simulator_rig import NOW, SYMBOL, D, ExchangeRig, Recorder

SNAPSHOT = (
    "c-q~V&u<$=6vx*wEfN<H65KfO2h>_SP1A59KitGLwo}_xX)nuqckE8G-nDmTn>q&+Zmkd^v=S2H602*+ze5G;xpE~`L}}Fv2UPK|"
    "z?)gG*T0*VL_)QcA2T~U?|t8V=FJ<&mXeXE;Cm<XzR>%8wDbE1Ki(=Eri#pG(DuFfbHi`TTGn_b_`mtm{&m;apr))7S)tg_PuJue"
    "(pC7OLN#w<!^E`cuUL6irbuWze<cNB4eQyb!n;eKwy{num_R{N#?sY#P;@_czOKuPVpuwruv(Ja+p?x1Dy3zOjczY2EX<z`z;8ad"
    "EE9sLeL1<3s$WNH7D+inMV<ROOQTrg4~f%N%^)PDEmQBf?ogbA;RNLQes~=EYxh7g^bF3D-CEutn8_kvHJ4J$Z1PW*;;FS;6;jNl"
    "4eg-Y*>cB81gpqqLu}2U<d0J?Y{ek7F+V4Yp#XRE5EDZKtE%MaDTy{XL>ja6fjQ9;{|m^rz;QmxM6!l=kXjNaxm)KkQjKk$?6z{U"
    "nZ>%Ku({RFKm^lcBDgTeybAtrBl!HE^G*cMFlPhjr$n&MVOTic0N(vu__)g9hX}g-`v$liQgWzh80eSWmuwReYBN>$mM&i%r;`@*"
    "sJtGDMp8A{E?LQIx45U^O~x=4bZ<4aT!uZRpz2vB6IQOuUntOGSq#7;RtS};MefDIR}O|nP7>eXGeWnrMV<<8@4V+Y!Gf>0&`qRR"
    "EQqWrG<!|3SQ2XxW2s;n6qUq=iBt=wF?6liX)BsRkmO43)Co2661P(lo7;xD1)HDCY%j-Ssl?)PO4>+7mcuQ_m%IscDzwvPIpqd("
    "n)g3!u|-MC%9dn8=fke&IhiWg?N~e(t`eH(gf_#UZ$uJdDY|$uoM>kaLj`@BCh;WHf)O}_6`5lx9I#vl>m;->ku+Seu*#owdg;qI"
    "j)9q1Vc<bwYkQ%%x%k<Y!nMsC`A|G~ZgyoO_);n=(Z$5Ya32=kj!9hDgG>Y=qqs~|E=1PX!z-_ah2S9p8Ep^>=orAlG3uewpZeZp"
    "NM^=C;vY!AFM}j_LruktJKOWC=dP|Pi^gU&oerPlkl4xa`uYh`A_hXoP05qTgOEIVJje()=`m9Ga{HT%i2pla#2wbFo(5~2E)(5B"
    "53XIlv^I+_?L=44XCkZgA~h50%5054X1W`odnJ;J#AA!=bq6HgolM0yB!_|_>Zal}N=&t2$vVX>-8Z;Z?}TY9aI%hJViGGY3V39}"
    "LmuujKf=o0#T*~;X-hn^XhX0(8e(7&tm!};x}J6=2*XQ%2=806*4w&5v)j>?Q|~qlPTZUZ6S3bi(I&XViV|Yz`%PfQ^+oM8ughwm"
    "0Cba@DChck_uFYFP8Di!6_!r*jh<A~j+t&fF~^EPmKDHbC=UrLvzA!n+mp#?xFg`xbSo+;uWKMyF>*Of2+Z3E@p6)l6@T)&C9krq"
    "g5aFIh0G57FKrc(`Di5D98KxWYby;6C>8mE<tYu#9Ytv{#9ljArRhmZ{i6rV)NR}=5?NXulp5-n+Lw1HEA1<*k1Vt^BJ}&)<JNS)"
    "fpwS@@x4)n-5pC_2q!8|XC*j%v9qzBF?z#BY#gwADBl8Z;P!7%BdOnbeK{VDMv_U$q+RpPGkq`*J5dTwwC?X&F9rXT`98u%%!ekL"
    "f6Fr;di9vw%;>8}{M3Yqr%!a9XI^6UXn}5=@c<u*^Xx?9r@c7O?(OZ}8M)9pkNdyrIMgAd^DjBrnbw{2x1YZd?rSpf9<U>*BJyi_"
    "Bad~RU16Ov#c99=b*s#=sPXq$yUp7H_nVVCf8bu}N+0%|3#Zmj-noaKU!{ImguQ<O5`lf*"
)
"""One record: a resting order, a fill of each account, a stop, a deposit."""
JOURNAL = (
    "c-pm6&ui2`6rN=d3tj{d`d7H5#f9ogS1a{km2SLviL;s6ICL@-GZX51DC?~v!q%IJ&_MQA)}|Ew1IivmFD+g?i2sYeNt*3S@#sLv"
    "y!XEO=6m0p^=9kdeN?&dxQgcM!=)?F-tP=#NN9Khapl*Kht&jgPoALao9*OFuQJsk77DwXNl}|%p9%t>M&lr4GGw}29Yz7cnxd@u"
    "J1%9M3GWzPY~IY6P!SNg)agWmq)S%0c3-F1b!8;9!${oDwlL>ZJ8jGjI=c?5QD1IY`H2Bmit6N1>yDj1rNpC-FA1F;`VrU6$&0E;"
    "jXRV&?I;wpQjTUmz!kJtdG~esXK&<6(P5tIO#-QyX-mEQ*tBmO@*B+u_S()+b^W&FqtoPmiE|VqG%=8bORc{DUP)Z3^z^C`TVF9k"
    "515i1ZY569Pi!S1NTt{624fJPq3Z~A=b(^c&R$RwTmMp<<`xmTB~)+U$DzlB;~Hu*>-YP+ul_ReRQTSM30DG-?gn&hZ`@jM-Cf-n"
    "7Rkf{R~P(DnCQqkXmrjkGkzeijbTG5?DpW^x92=6s*9sP5cIjurw*Bt^4q5;=#XP|RtTZ%p;ZTGmZkv{!ngvdqcVV=HwO*l+$29|"
    ";w+Er<x@)Yf@bcfI!3kl@?6}iz4rgb9i8cl7p0(n4WU1}IA9R"
)
"""A deposit of 0.25 to account b, then three bytes of a record that was never finished."""


def old_folder(folder: Path) -> Path:
    for name, text in (("snapshot-000000001.bin", SNAPSHOT), ("journal-000000001.log", JOURNAL)):
        (folder / name).write_bytes(zlib.decompress(base64.b85decode(text)))
    return folder


def opened(folder: Path) -> tuple[Exchange, Persistence]:
    exchange = Exchange(ExchangeRig().ex.state.specs, Recorder())
    store = Persistence(folder, exchange)
    assert store.restore()
    return exchange, store


def assert_as_left(exchange: Exchange) -> None:
    assert exchange.state.user("a").account.wallet_balance == D("99974.999")
    assert exchange.state.user("b").account.wallet_balance == D("99995.2501")
    assert [row.position_amt for row in account_queries.position_rows(exchange.state, "a", SYMBOL)] == [
        D("1.5")
    ]
    assert [row.position_amt for row in account_queries.position_rows(exchange.state, "b", SYMBOL)] == [
        D("-0.2")
    ]
    assert [order.client_order_id for order in order_queries.open_orders(exchange.state, "a")] == ["rest"]
    assert [algo.order_type for algo in order_queries.open_algo_orders(exchange.state, "a")] == [
        "STOP_MARKET"
    ]
    assert [row.income_type for row in history_queries.income(exchange.state, "b", NOW)] == [
        "TRANSFER",
        "COMMISSION",
        "TRANSFER",
    ]
    assert len(history_queries.user_trades(exchange.state, "a", SYMBOL, NOW)) == 2


def test_an_old_folder_is_read_and_rewritten(tmp_path: Path):
    exchange, store = opened(old_folder(tmp_path))
    assert store.torn_bytes == 3
    assert_as_left(exchange)
    store.close()
    again, store = opened(tmp_path)
    assert_as_left(again)
    assert account_queries.account_summary(again.state, "a").alias == "SgsR"  # as before
    store.abandon()


def test_accounts_of_two_states_have_names_of_their_own(tmp_path: Path):
    names = set()
    for later_ms in (0, 1):
        exchange = Exchange(ExchangeRig().ex.state.specs, Recorder())
        exchange.create_account("a", D(1), NOW + later_ms)
        names.add(account_queries.account_summary(exchange.state, "a").alias)
    assert len(names) == 2
    store = Persistence(tmp_path, exchange)
    store.restore()
    store.close()
    again, store = opened(tmp_path)
    assert account_queries.account_summary(again.state, "a").alias in names
    store.abandon()


def test_a_journal_that_an_old_version_began_in_vain_is_passed_over(tmp_path: Path):
    """It was killed between the new journal and its snapshot, then went on in the journal before."""
    folder = old_folder(tmp_path)
    (folder / "journal-000000002.log").write_bytes((folder / "journal-000000001.log").read_bytes()[:8])
    exchange, store = opened(folder)
    assert_as_left(exchange)
    exchange.deposit("a", D(1), NOW)
    store.commit()
    store.snapshot()
    store.abandon()
    again, store = opened(folder)
    assert again.state.user("a").account.wallet_balance == D("99975.999")
    store.abandon()
