"""Credentials in what a person typed: found where they are, and nothing else is."""

from __future__ import annotations

import base64
import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.credentials.redaction import find_credentials

# Every secret is made here at run time: no scanner finds one in the repository.
_RANDOM = random.Random(13)
_HEX = "0123456789abcdef"
_UPPER = string.ascii_uppercase + string.digits
_ALNUM = string.ascii_letters + string.digits
_URLSAFE = _ALNUM + "-_"


def _draw(length: int, alphabet: str = _ALNUM) -> str:
    while True:
        drawn = "".join(_RANDOM.choice(alphabet) for _ in range(length))
        if (
            any(c.isdigit() for c in drawn)
            and drawn[0].isalnum()
            and drawn[-1].isalnum()
        ):
            return drawn


def _word() -> str:
    return (
        f"{_draw(5, string.ascii_lowercase + '123456789')}{_RANDOM.randint(100, 999)}"
    )


def _digits(length: int) -> str:
    return "".join(_RANDOM.choice(string.digits) for _ in range(length))


def _card(prefix: str, length: int) -> str:
    number = prefix + _digits(length - len(prefix) - 1)
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return number + str(-total % 10)


def _fours(number: str, between: str = " ") -> str:
    return between.join(number[start : start + 4] for start in range(0, len(number), 4))


def _wide(number: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) for letter in number)


def _jwt() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": "u1", "name": "n" * 40})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts]
    return ".".join(
        [*(part.rstrip(b"=").decode() for part in encoded), _draw(43, _URLSAFE)]
    )


def _pem(kind: str, between: str = "\n") -> str:
    lines = [
        f"-----BEGIN {kind}-----",
        *(_draw(64) for _ in range(6)),
        f"-----END {kind}-----",
    ]
    return between.join(lines)


_AMEX = _card("34", 15)
_KEY = "PRIVATE KEY"

# Found wherever they are, also alone.
FORMATS = [
    ("deploys run with {} since May", "AKIA" + _draw(16, _UPPER)),
    ("```\naws_access_key_id={}\n```", "AKIA" + _draw(16, _UPPER)),
    ("use {} to clone it", "gh" + "p_" + _draw(36)),
    ("grok answers with {} here", "xa" + "i-" + _draw(80)),
    ("groq answers with {} here", "gs" + "k_" + _draw(52)),
    ("the router takes {} here", "sk-" + "or-v1-" + _draw(64, _HEX)),
    ("jira takes {} here", "ATA" + "TT3" + _draw(186, _URLSAFE)),
    ("notion takes {} here", "nt" + "n_" + _draw(46)),
    ("linear takes {} here", "lin_" + "api_" + _draw(40)),
    ("figma takes {} here", "fig" + "d_" + _draw(40, _URLSAFE)),
    ("git clone with {} as user", "glp" + "at-" + _draw(20)),
    (
        "our bot runs on {}",
        f"xox{'b'}-{_draw(12, '123')}-{_draw(12, '123')}-{_draw(24)}",
    ),
    ("billing uses {}", "sk_" + "live_" + _draw(24)),
    ("I pay for {}", "sk-" + "proj-" + _draw(20) + "T3Blbk" + "FJ" + _draw(20)),
    ("curl -H 'Authorization: Bearer {}' https://api.example.com", _jwt()),
    ("mine: {}", _pem(f"RSA {_KEY}")),
    ("my key\n{}", _pem(_KEY)),
    ("{}", _pem(f"PGP {_KEY} BLOCK", "\nVersion: GnuPG v2 (GNU-Linux)\n\n")),
    ('{"private_key": "{}\\n"}', _pem(_KEY, "\\n")),
    ("cut off:\n{}", _pem(f"OPENSSH {_KEY}").partition("\n-----END")[0]),
    ("I pay with {}", _fours(_card("4", 16))),
    ("amex {}, ok?", f"{_AMEX[:4]} {_AMEX[4:10]} {_AMEX[10:]}"),
    ("dots {} here", _fours(_card("4", 16), ".")),
    ("diners {} here", _card("3056", 14)),
    ("银联卡{}", _card("62", 19)),
    ("カードは{}です", _wide(_card("3528", 16))),
    ("cvc {} 123", _fours(_card("4", 16))),
]
FORMATS += [
    ("I use {} here", secret)
    for secret in (
        "github" + "_pat_" + _draw(22) + "_" + _draw(59),
        f"xap{'p'}-1-A0{_draw(9, _UPPER)}-{_draw(13, '123')}-{_draw(64, _HEX)}",
        "sk_" + "test_" + _draw(24),
        "sk-" + "ant-api03-" + _draw(95, _URLSAFE),
        "AI" + "za" + _draw(35, _URLSAFE),
        "npm" + "_" + _draw(36),
        "h" + "f_" + _draw(34),
        "shp" + "at_" + _draw(32, _HEX),
        "do" + "p_v1_" + _draw(64, _HEX),
        "hv" + "s." + _draw(90),
        # Nothing but the word says what these are.
        _draw(40),
        _draw(64, _ALNUM + "+/"),
        f"{_draw(14)}.{_draw(60)}",
        # Their beginning says it.
        "sk-" + "svcacct-" + _draw(40),
        "rz" + "p_live_" + _draw(24),
        "sec" + "ret_" + _draw(43),
        "key" + "-" + _draw(32, _HEX),
        "PMA" + "K-" + _draw(24, _HEX) + "-" + _draw(34, _HEX),
        "NRA" + "K-" + _draw(27, _UPPER),
        f"pat{_draw(14)}.{_draw(64, _HEX)}",
        # Only their own format does.
        "sb" + "p_" + _draw(40, _HEX),
        "SK" + _draw(32, _HEX),
        f"{_digits(10)}:AA{_draw(33)}",
        "ASIA" + _draw(16, _UPPER),
        f"https://hooks.slack.com/services/T0{_draw(7, _UPPER)}/B0{_draw(8, _UPPER)}/{_draw(24)}",
        "nap" + "i_" + _draw(64, string.ascii_lowercase + string.digits),
        "np" + "g_" + _draw(12),
        f"{_draw(32, _HEX)}-{_draw(8, _HEX)}-{_draw(8, _HEX)}",
        "vc" + "p_" + _draw(24),
        "GOC" + "SPX-" + _draw(28, _URLSAFE),
        f"A3-{_draw(6, _UPPER)}-{_draw(6, _UPPER)}-{'-'.join(_draw(5, _UPPER) for _ in range(4))}",
    )
]
# Found by what is around them.
IN_CONTEXT = [
    ("aws_secret_access_key = {}", _draw(40)),
    ("aws_secret_key='{}'", _draw(40)),
    ("DATABASE_URL=postgres://bob:{}@db.internal:5432/app", _draw(12)),
    ("mongodb+srv://svc:{}@cluster0.example.net", _draw(16)),
    ("https://bob:{}@registry.example.com/v2/", _draw(10)),
    ("ftp://anna:{}@files.example.org", "geheim"),
    ("redis://:{}@cache.example.org:6379/0", _draw(12)),
    ("Authorization: Bearer {}", _draw(24)),
    ("-H 'Authorization: Basic {}' -v", _draw(30) + "=="),
    ("Set-Cookie: lang=ja; session={}; Path=/", _draw(24)),
    ("curl -u aya:{} https://x.example.com", _draw(12)),
    ("mysql -u root -p{} app", _draw(12)),
    ("kubeadm join 10.0.0.1:6443 --token {}", f"{_draw(6)}.{_draw(16)}"),
    ("machine x.example.com login aya password {}", "hunt" + "er2x"),
    ("the db password ```{}``` please rotate", "hunt" + "er2x99"),
    ("the db password\n```\n{}\n```", "hunt" + "er2x99"),
    ("パスワード {} を使って", "hunt" + "er2x"),
    ("the API key {} of maps", _draw(24, _HEX)),
    ("the API key for the maps of Osaka is {}", _draw(24, _HEX)),
    ("https://x.blob.example.net/c?sv=2022-11-02&sig={}&sp=r", _draw(40)),
    ("otpauth://totp/x?secret={}", _draw(16, string.ascii_uppercase + "234567")),
    ("my SSN is {}", f"{_digits(3)}-{_digits(2)}-{_digits(4)}"),
    (
        "seed phrase: {}.",
        " ".join(["legal", "winner", "thank", "year", "wave", "sausage"] * 2),
    ),
    ("AccountName=x;AccountKey={};EndpointSuffix=core.windows.net", _draw(86) + "=="),
    ("//registry.npmjs.org/:_authToken={}", "npm" + "_" + _draw(36)),
    ("マイナンバーは {} です", _fours(_digits(12))),
    ("個人番号：{}", _digits(12)),
    ("My Number: {}", _fours(_digits(12), "-")),
]
LABELLED = (
    """
My password is {}.                     |btw Netflix password: {} don't share it
password={}                            |the password’s {}
The passphrase is "{}", keep it        |PASSWORD IS {}
*Password*: {}                         |user: bob pwd: {}
our API key is {}                      |The API token is `{}`.
export MAPS_API_KEY={}                 |CLIENT_SECRET={}
{"token": "{}"}                        |{"token":"{}","user":"bob"}
PASSWORD: {} and USER: ann             |my token is {}
PIN: {}                                |my bank PIN is {}
パスワードは{}です                     |Wi-Fiのパスワードは「{}」です
パスワード：{}                         |パスワード: `{}`
暗証番号は{}です。                     |暗証番号：{}
APIキーは「{}」だよ                    |トークン: {}
the password for the guest wifi is {}  |My password to Ken's laptop is "{}"
Wi-Fi password (5th floor): {}         |パスワード（来客用）は{}です
the wifi key at home is {}             |My password at the office is {}
""".strip()
    .replace("|", "\n")
    .splitlines()
)

ORDINARY = """
My secret ingredient is miso
the password manager is great
I use 1Password and Bitwarden for all of my passwords
The docs are at https://docs.example.com/a8f5f167f44f4964e6c998dee827110c03a1b2c3/page
the ticket is 3f2504e0-4f89-41d3-9a0c-0305e82c3301
call me at +81 90-1234-5678 or 03-1234-5678
I forgot my password again, how do I reset it?
The secret to good ramen is 12 hours of simmering
The pull request is https://github.com/example/repo/pull/12345#discussion_r1234567890
ISBN 978-3-16-148410-0 is the one I want
The meeting id is 812 3456 7890 on Zoom
the timestamp is 1700000000123
私のラッキーナンバーは7です
パスワードを忘れました
パスワードマネージャーは1Passwordを使っています
暗証番号は4桁です
マイナンバーカードを2024年に作りました
O meu telefone é +351 912 345 678
Our token counter says 42 tokens for that prompt
Pin this message please, it is about release 2.14.0
The container is sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
https://www.youtube.com/watch?v=dQw4w9WgXcQ is my song
My GitHub is octocat42 and my mail is octo.cat99@example.com
パスワードは2024-11-20に変えました
暗証番号を3回間違えました
我的订单号是2026112012345678
my PIN code is 560001
postgres://postgres:postgres@localhost:5432/app
the password base64-encoded is longer
my password PBKDF2 and bcrypt, which one?
The password for the wifi is 12 characters long
the password at work is changed every 90 days
the password for room 12 is still on whiteboard 3
The password for the wifi was changed, the new one is valid from 2026-11-20
The password to our NAS is 2026-11-20, no wait, that is the day it changes
the password is 2026-11-20, and (the password for the portal is 2026-12-01).
the API key for staging is v2-only
パスワード（8文字以上）を決めてください
napi_create_string_utf8 and napi_get_value_uint32_array_of_a_buffer_2
vcp_memory_write2 calls vcr_2
docker run -u 1000:1000 -p 8080:80 app
react.dev/reference/react/hooks/useState and https://docs.github.com/en/webhooks/webhook-events
recovery codes are in the safe, 12 of them
seed phrase is a list of twelve words that nobody else should ever read
""".strip().splitlines()


# Ids, hashes, links and numbers that look like credentials.
TECHNICAL = [
    f"https://docs.example.com/document/d/1{_draw(43, _URLSAFE)}/edit",
    f"docs.example.com/file/d/1{_draw(32, _URLSAFE)}/view?usp=sharing&resourcekey=0-{_draw(22)}",
    f"https://www.example.so/acme/Roadmap-{_draw(32, _HEX)}?pvs=4",
    f"https://calendar.example.com/event?eid={_draw(76)}",
    f"https://acme.slack.com/archives/C0{_draw(9, _UPPER)}/p{_digits(16)}",
    f"https://github.com/acme/app/blob/{_draw(40, _HEX)}/src/app/main.py#L12",
    f"reverted in {_draw(40, _HEX)}, md5 {_draw(32, _HEX)}",
    f'integrity="sha384-{_draw(64)}" and golang.org/x/net v0.31.0 h1:{_draw(43)}=',
    f"fingerprint SHA256:{_draw(43)} aya@laptop",
    f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{_draw(43)} aya@laptop",
    f"data:image/png;base64,{_draw(80)}",
    f"-----BEGIN CERTIFICATE-----\n{_draw(64)}\n{_draw(64)}\n-----END CERTIFICATE-----",
    f"Message-ID: <CA{_draw(45)}@mail.example.com>",
    "request 45398577-1234-4539-8577-123445398573 failed",
    f"01{_draw(24, _UPPER)}, <#C0{_draw(9, _UPPER)}>, cus_{_draw(14)}, pi_3{_draw(20)}",
    f"app-{_draw(32, _HEX)}-{_draw(8, _HEX)}.js, {_draw(8, _HEX)}-{_draw(8, _HEX)}",
    f"traceparent 00-{_draw(32, _HEX)}-{_draw(16, _HEX)}-01",
    f"arn:aws:lambda:ap-northeast-1:{_digits(12)}:function:ask:7",
    "pod api-6d4b75cb6d-hx2kz of feature/PAY-1234-fix-OAuth2-login-flow-v2",
    "AbstractSingletonProxyFactoryBean2 calls getUserByEmailAndPassword2024V2Test",
    "InternalFrameInternalFrameTitlePaneInternalFrameTitlePaneMaximizeButtonWindowNotFocusedState",
    "JAN 4512345678906 and 4900000000023, GTIN 34003994155486",
    "IMEI 352306926103107, ISBN 9783161484100",
    "tweet 1795707522159843123, order 123-1234567-1234567",
]


def _found(text: str) -> list[str]:
    return [text[one.start : one.end] for one in find_credentials(text)]


def test_a_credential_is_found_where_it_is(subtests: pytest.Subtests) -> None:
    """Exactly one, over the whole secret and at most a short prefix or sign beside it."""
    for template, secret in [
        *FORMATS,
        *IN_CONTEXT,
        *((template.strip(), _word()) for template in LABELLED),
    ]:
        with subtests.test(template=template, secret=secret):
            (found,) = _found(template.replace("{}", secret))
            assert secret in found
            assert len(found) <= len(secret) + len("AccountKey=")


def test_a_format_is_found_alone(subtests: pytest.Subtests) -> None:
    """Neither the start nor the end of the text hides a credential."""
    for secret in [secret for _, secret in FORMATS]:
        with subtests.test(secret=secret):
            assert _found(secret) == [secret]
            assert _found(f"{secret} and {secret}") == [secret, secret]


def test_most_keys_without_a_digit_are_found() -> None:
    """Some services make keys of letters alone; chance makes a few of them like words."""
    letters = random.Random(13)
    keys = [
        "h" + "f_" + "".join(letters.choices(string.ascii_letters, k=34))
        for _ in range(200)
    ]
    assert sum(_found(f"I use {key} here") == [key] for key in keys) > 160


@pytest.mark.parametrize(
    "template",
    [
        "my password is abc12",
        "my password is correcthorse",
        "my password for {} is in the safe",
        "the password for the wifi on floor 3 of this long building is {}",
        "the token for the build is {}",
        "the pass for the weekend is {}",
        "I changed my password to {}",
        "the spinning token ring, {}",
        "the token is https://example.com/{}",
        "the token is <@U{}>",
        "the token is \ue001@U{}\ue002",
        "パスワードは2026-11-20に変えました",
    ],
)
def test_the_rule_of_labels_is_narrow(template: str) -> None:
    """Label, "is" and token follow each other; the token has six characters and a digit."""
    assert _found(template.replace("{}", _word())) == []


@pytest.mark.parametrize(
    ("template", "secret"),
    [
        ("my PIN is {}", "4821"),
        ("暗証番号は{}です", "4821"),
        ("the door code is {}", "48213"),  # words: literal
        ("my one-time code is {}", "482913"),
        ("認証コード：{}", "482913"),
        ("exp 12/27 cvc {}", "123"),
        ("暗証番号 {} です", "4821"),
        ("マイナンバーカードの番号は{}です", "123456789018"),
        ("私のマイナンバー（{}）", "123456789018"),
    ],
)
def test_a_short_value_is_found_beside_its_name(template: str, secret: str) -> None:
    """A short value is found exactly, if its name is directly before or after it."""
    assert _found(template.replace("{}", secret)) == [secret]


@pytest.mark.parametrize(
    "text",
    [
        "PIN is 4 digits",
        "the PIN is 2026-11-20",
        "the OTP is wrong",
        "security code review at 10",
        f"tx 0x{_draw(64, _HEX)}",
    ],
)
def test_a_name_without_its_value_is_no_credential(text: str) -> None:
    """Lengths, dates and sentences about a credential are not the credential."""
    assert _found(text) == []


def test_a_wrong_check_digit_is_no_credential() -> None:
    """Of ten last digits one is right for a card."""
    card = _card("4", 16)[:-1]
    found = [last for last in range(10) if find_credentials(f"I pay with {card}{last}")]
    assert len(found) == 1


@pytest.mark.parametrize(
    "template",
    ["+{}", "id_{}", "https://example.com/{}", "v1.{}", "{}abc", "order-{}", "+49 {}"],
)
def test_a_number_inside_something_else_is_no_card(template: str) -> None:
    """A telephone number, an identifier and a part of a link are not cards."""
    assert _found(template.replace("{}", _card("4", 16))) == []


@pytest.mark.parametrize(
    "number",
    [
        "4" * 16,
        "0" * 16,
        _card("1", 13),
        _card("97", 13),
        _card("4", 13),
        _card("35", 15),
    ],
)
def test_a_number_of_no_card_network_is_no_card(number: str) -> None:
    """One repeated digit, times in milliseconds, article and device numbers are not cards."""
    assert not find_credentials(f"it is {number}")


def test_positions_are_those_of_the_original_text() -> None:
    """Full-width characters do not move what is found."""
    secret, number = _wide(_word()), _wide(_card("4", 16))
    assert _found(f"私のパスワードは{secret}です。{number}") == [secret, number]


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u00ad", "\u2060", "\u200d", "*", "\U000e0041"]
)
def test_nothing_hides_a_credential(hidden: str) -> None:
    """What nobody sees, and bold text, is found as typed, with what hides in it."""
    for secret in [secret for _, secret in FORMATS if len(secret.split()) == 1]:
        broken = f"{secret[:6]}{hidden}{secret[6:11]}{hidden}{secret[11:]}"
        assert _found(f"it is {broken}, now") == [broken]


def test_what_two_rules_find_is_one_credential() -> None:
    """A token of a known format behind a label counts once."""
    secret = "gh" + "p_" + _draw(36)
    (found,) = find_credentials(f"token: {secret}")
    assert (found.start, found.end) == (7, 7 + len(secret))


def test_brackets_behind_a_label_hide_no_value() -> None:
    """They hold a password, or say what the password behind them is for."""
    secret = "Tr0ub" + "4dor&3"
    first, second = _found(f"my password ({secret}) is valid-to-2027")
    assert secret in first
    assert second == "valid-to-2027"


def test_a_header_of_a_key_in_prose_is_no_credential() -> None:
    """The header counts with its dashes."""
    assert not find_credentials(f"my editor shows BEGIN RSA {_KEY} in red")
    assert find_credentials(f"-----BEGIN RSA {_KEY}-----")


_PARTS = [
    "password", ":", " is ", "'", '"', "4111 ", "1111", "\u200b", "１", "-", "\n",
    "eyJ", ".", "://", "@", "sk-", "-----", f"BEGIN {_KEY}", "a1", "é", "は", "<",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(_PARTS) | st.text(max_size=3), max_size=60).map("".join)
)
def test_what_is_found_is_in_order_and_in_the_text(text: str) -> None:
    """Whatever the text: no error, no empty and no overlapping credentials."""
    ends = [0]
    for one in find_credentials(text):
        assert ends[-1] <= one.start < one.end <= len(text)
        ends.append(one.end)


HOSTILE = [
    "a", "a.", "1 ", "-", "1", "1-1", "1234 ", "4111 1111 ", "eyJ", "eyJ.",
    "sk-", "sk-a1", "//", "://", "://a:", "0:", "AKIA1234567890123456-", "xoxb-1-", "\n", "\u200b",
    "password", "password:", "password: ", "password is a1", 'token="1"', "pw:1,,,,,,,", "\"'`*",
    "パスワードは", "PIN is ", "abandon ", "seed phrase is a ", "a1b2c3 is my ",
    "recovery codes a1b2c3 ", "cookie: a=", "mysql -p a1 ", "--token ", "-u a:", "?sig=", "A1b",
    "token=", "token=1",
    "*", "authorization: ", "-----BEGIN PUBLIC KEY-----", "hooks/", "key_", "ssh-rsa ", "data:a,",
    f"-----BEGIN {_KEY}-----", f"-----BEGIN {_KEY}-----\n{'A' * 20}\n", f"BEGIN {_KEY} ",
]  # fmt: skip
"""What begins like a credential, for the test of linear time."""
