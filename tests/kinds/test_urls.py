"""Events go to public hosts, encrypted, whatever way another place is written, unless the webhook says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbstack.errors import ConfigError
from lbstack.kinds.urls import is_url, unsafe
from lbstack.session import Settings, load_graph
from lbstack.values import Address
from tests.conftest import World

LOOPBACK_4 = [
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0X7F.1", "0x7f.0x0.0x0.0x1",
    "0177.0.0.1", "0177.0.0.01", "017700000001", "127.0.0.1.", "127.0.0.1..", "0", "0.0.0.0", "00.0.0.0", "127.000.000.001",
    "0x", "127.0.0.0x1", "1.2.3.4.5", "256.256.256.256", "08.8.8.8", "0300.0250.1.1", "4294967296",
]  # fmt: skip
PRIVATE_4 = [
    "10.0.0.1", "10.1", "167772161", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1", "0xc0a80101",
    "169.254.169.254", "2852039166", "0xa9fea9fe", "169.254.43518", "0251.0376.0251.0376", "100.100.100.200",
    "100.64.0.1", "198.18.0.1", "192.0.2.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "168.63.129.16",
]  # fmt: skip
IPV6 = [
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a00:1]", "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[fc00::1]",
    "[fd00:ec2::254]", "[ff02::1]", "[fec0::1]", "[2001:db8::1]", "[100::1]", "[::FFFF:10.0.0.1]",
    "[2606:4700::1%1]", "[v1.x]", "[127.0.0.1]",
]  # fmt: skip
NAMES = [
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "ip6-localhost", "metadata",
    "metadata.google.internal", "metadata.google.internal.", "instance-data.ec2.internal", "printer.local",
    "intranet", "kubernetes.default.svc.cluster.local", "router.lan", "nas.home.arpa", "1.0.0.127.in-addr.arpa",
    "wiki.corp", "a..example.com", ".example.com", "-a.example.com",
]  # fmt: skip
HIDDEN = [
    "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "loc\u00adalhost", "loc\u200balhost", "ⓛocalhost", "exämple.com",
    "%31%32%37.0.0.1", "%6cocalhost", "a.example.com%00.evil.example", "a.example.com%2f@127.0.0.1",
]  # fmt: skip
WHOLE = [
    "http://relay.example.com/x", "HTTP://relay.example.com", "https://user@relay.example.com", "https://u:p@127.0.0.1",
    "https://@relay.example.com", "https://:@relay.example.com", "https://relay.example.com\\@127.0.0.1/",
    "https:\\\\127.0.0.1", "https:///x", "https:relay.example.com", "//relay.example.com", "ftp://relay.example.com",
    "file:///etc/passwd", "gopher://127.0.0.1", "javascript:alert(1)", "data:text/plain,x", "https://", "https://:443/x",
    "https://relay.example.com:99999", "https://relay.example.com:x", "https://[::1", "https://relay.example.com/a b",
    " https://relay.example.com", "https://relay.example.com\n", "https://relay\t.example.com", "https://\x00a.example",
    "https://127.0.0.1#@relay.example.com", "https://127.0.0.1?@relay.example.com", "https://127.0.0.1;.example.com",
    "https://relay.example.com@127.0.0.1:443", "https://relay.example.com:443@127.0.0.1",
]  # fmt: skip
REFUSED = [
    *(f"https://{host}{rest}" for host in [*LOOPBACK_4, *PRIVATE_4, *IPV6, *NAMES, *HIDDEN] for rest in ("", ":8443/in")),
    *WHOLE,
]  # fmt: skip
GOOD = [
    "https://relay.example.com", "HTTPS://Relay.Example.com/In?a=1#b", "https://relay.example.com.:8443/",
    "https://8.8.8.8/x", "https://1.1.1.1", "https://[2606:4700:4700::1111]/x", "https://xn--exmple-cua.com",
    "https://a_b.example.com", "https://10.example.com", "https://127.0.0.1.example.com", "https://localhost.example.com",
    "https://a.internal.example.com/%31", "https://relay.example.com/http://127.0.0.1/@", "https://172.15.0.1",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED, ids=ascii)
def test_a_url_that_leads_inside_is_refused_however_it_is_written(url: str) -> None:
    assert unsafe(url)


def test_there_are_many_spellings() -> None:
    assert len(set(REFUSED)) == len(REFUSED) >= 60


@pytest.mark.parametrize("url", GOOD)
def test_public_hosts_are_well(url: str) -> None:
    assert unsafe(url) == ""
    assert is_url(url)


def stack(url: str, more: str = "") -> str:
    return (
        "stack: test\ndatasets: {d: {name: D}}\nwebhooks:\n"
        f"  w: {{topics: [LABEL_CREATED], secret: of-sixteen-bytes-at-least, url: '{url}'{more}}}\n"
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://relay.example.com", "is not encrypted"),
        ("https://0x7f.1/x", "in a way that hides it"),
        ("https://10.0.0.1/${dataset.d.id}", "an address of a private network"),
        ("https://${dataset.d.name}/x", "known only after apply"),
        ("https://relay.example.com${dataset.d.name}", "known only after apply"),
        ("${dataset.d.name}", "known only after apply"),
    ],
)
def test_the_webhook_itself_may_say_that_it_is_meant(tmp_path: Path, url: str, told: str) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text(stack(url))
    with pytest.raises(ConfigError) as caught:
        load_graph(Settings(path=file, environ={}))
    (problem,) = caught.value.problems
    assert told in problem.summary and "allow_insecure_url: true" in problem.summary
    assert problem.source and problem.source.line == 4 and problem.source.column > 60
    file.write_text(stack(url, ", allow_insecure_url: true"))
    assert load_graph(Settings(path=file, environ={})).order


def test_the_permission_is_not_sent_and_the_url_is_kept_as_it_is_written(world: World) -> None:
    spelled = "HTTPS://Relay.Example.com:443/a/../b?x=%41#y"
    world.write(stack(spelled, ", allow_insecure_url: true"))
    world.apply()
    assert world.graphql("{ organization { webhooks(skip: 0, first: 9) { url } } }")["organization"][
        "webhooks"
    ] == [{"url": spelled}]
    world.write(stack(spelled, ", allow_insecure_url: false"))
    assert world.plan().empty
    assert "allow_insecure_url" not in world.state.resources[Address("webhook", "w")].attributes


def test_a_permission_that_waits_for_its_variable_refuses_nothing_yet(tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text(
        stack("http://127.0.0.1:5000", ", allow_insecure_url: '${var.here}'") + "variables: {here: {}}\n"
    )
    load_graph(Settings(path=file, environ={}), require_values=False)
    for value, refused in (("true", False), ("false", True)):
        settings = Settings(path=file, variables={"here": value}, environ={})
        if refused:
            with pytest.raises(ConfigError, match="not encrypted"):
                load_graph(settings)
        else:
            load_graph(settings)
