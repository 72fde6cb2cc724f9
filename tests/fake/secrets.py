"""Made-up secrets of 23 types, as their issuers document them, and texts that only look like some.

Written apart from the rules that find them. The same seed gives the same texts.
"""

import base64
import json
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

HARMLESS = Path(__file__).parents[1] / "data" / "redaction" / "harmless.txt"
ALNUM = string.ascii_letters + string.digits
URLSAFE = ALNUM + "_-"
UPPER = string.ascii_uppercase + string.digits
HEX = string.digits + "abcdef"
BASE32 = string.ascii_uppercase + "234567"
WORDS = (
    "river",
    "table",
    "orange",
    "window",
    "garden",
    "silver",
    "engine",
    "cloud",
    "summer",
    "bridge",
)


def some(random: Random, alphabet: str, count: int) -> str:
    return "".join(random.choices(alphabet, k=count))


def b64(random: Random, size: int) -> str:
    return base64.b64encode(random.randbytes(size)).decode()


def b64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


# Each returns the secret alone; where it stands is chosen beside it.
def anthropic(r: Random) -> str:
    kind = r.choice(("api03", "api03", "admin01", "oat01"))
    return f"sk-ant-{kind}-{some(r, URLSAFE, 93)}AA"


def openai(r: Random) -> str:
    head = r.choice(("sk-", "sk-proj-", "sk-svcacct-", "sk-admin-"))
    size = 20 if head == "sk-" else r.choice((58, 74))
    alphabet = ALNUM if head == "sk-" else URLSAFE
    return f"{head}{some(r, alphabet, size)}T3BlbkFJ{some(r, alphabet, size)}"


def aws_key_id(r: Random) -> str:
    return r.choice(("AKIA", "ASIA")) + some(r, BASE32, 16)


def aws_secret(r: Random) -> str:
    return some(r, ALNUM + "+/", 40)


def github(r: Random) -> str:
    return f"{r.choice(('ghp', 'gho', 'ghu', 'ghs', 'ghr'))}_{some(r, ALNUM, 36)}"


def github_fine(r: Random) -> str:
    return f"github_pat_{some(r, ALNUM, 22)}_{some(r, ALNUM, 59)}"


def gitlab(r: Random) -> str:
    head = r.choice(("glpat", "glpat", "gldt", "glrt", "glptt", "glsoat", "glcbt", "glft"))
    return f"{head}-{some(r, URLSAFE, 20)}"


def slack(r: Random) -> str:
    one, two, three = (some(r, string.digits, 12) for _ in range(3))
    return r.choice(
        (
            f"xoxb-{one}-{two}-{some(r, ALNUM, 24)}",
            f"xoxp-{one}-{two}-{three}-{some(r, HEX, 32)}",
            f"xapp-1-A{some(r, UPPER, 10)}-{one}-{some(r, HEX, 64)}",
            f"xoxe.xoxp-1-{some(r, ALNUM, 146)}",
        )
    )


def slack_hook(r: Random) -> str:
    host = r.choice(("hooks.slack.com", "hooks.slack-gov.com"))
    ids = f"T{some(r, UPPER, 10)}/B{some(r, UPPER, 10)}/{some(r, ALNUM, 24)}"
    return f"https://{host}/services/{ids}"


def stripe(r: Random) -> str:
    if r.random() < 0.2:
        return f"whsec_{some(r, ALNUM, 32)}"
    head = r.choice(("sk_live", "sk_test", "rk_live", "rk_test"))
    return f"{head}_{some(r, ALNUM, r.choice((24, 99)))}"


def google(r: Random) -> str:
    if r.random() < 0.3:
        return f"GOCSPX-{some(r, URLSAFE, 28)}"
    return f"AIza{some(r, URLSAFE, 35)}"


def npm(r: Random) -> str:
    return f"npm_{some(r, ALNUM, 36)}"


def pypi(r: Random) -> str:
    return f"pypi-AgEIcHlwaS5vcmc{some(r, URLSAFE, r.randint(130, 180))}"


def hugging_face(r: Random) -> str:
    return f"hf_{some(r, string.ascii_letters, 34)}"


def sendgrid(r: Random) -> str:
    return f"SG.{some(r, URLSAFE, 22)}.{some(r, URLSAFE, 43)}"


def digitalocean(r: Random) -> str:
    return f"{r.choice(('dop', 'doo', 'dor'))}_v1_{some(r, HEX, 64)}"


def telegram(r: Random) -> str:
    return f"{some(r, '123456789', 1)}{some(r, string.digits, 9)}:AA{some(r, URLSAFE, 33)}"


def azure(r: Random) -> str:
    return b64(r, 64)


def jwt(r: Random) -> str:
    head = {"alg": r.choice(("HS256", "RS256", "ES256")), "typ": "JWT"}
    body = {"sub": some(r, string.digits, 9), "iat": 1_700_000_000, "name": r.choice(WORDS)}
    parts = [b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (head, body)]
    return ".".join([*parts, b64url(r.randbytes(32))])


def private_key(r: Random) -> str:
    kind = r.choice(("RSA ", "EC ", "OPENSSH ", "DSA ", "ENCRYPTED ", ""))
    text = b64(r, r.choice((120, 600, 1_200)))
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    if r.random() < 0.2:
        body = "\n".join(["", *lines])
        return f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{body}\n-----END PGP PRIVATE KEY BLOCK-----"
    end = r.choice(("\n", "\n", "\\n", "\r\n"))  # as it stands in JSON, too
    whole = (f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----")
    return end.join(whole)


def bearer(r: Random) -> str:
    return r.choice(
        (some(r, HEX, 40), some(r, URLSAFE, 43), b64(r, 32), f"v2.{some(r, ALNUM, 60)}")
    )


def url_password(r: Random) -> str:
    return r.choice((some(r, ALNUM, 12), f"{r.choice(WORDS)}{some(r, string.digits, 3)}%21"))


def password(r: Random) -> str:
    return r.choice(
        (
            f"{r.choice(WORDS).title()}-{r.choice(WORDS)}-{some(r, string.digits, 3)}!",
            some(r, ALNUM + "!@#$%^&*", 15) + "7",
            f"{some(r, HEX, 31)}4",
        )
    )


EVERYWHERE = (
    "{}", "KEY={}", "export X='{}'", 'x = "{}"', '{{"value": "{}", "n": 1}}', "value: {}\n",
    "curl -H 'x-api-key: {}' https://api.example.com", "I have put it into the vault ({}).",
    "2026-01-02T03:04:05Z INFO using {} for upload", "?key={}&page=2", "-u {}", "<k>{}</k>",
    "[{}, 3]", "a;{};b", "`{}`", "//registry.example.com/:_authToken={}", "{},", "({})",
)  # fmt: skip
AFTER_A_NAME = (
    "aws_secret_access_key = {}", "AWS_SECRET_ACCESS_KEY={}", '"SecretAccessKey": "{}"',
    "secretAccessKey: '{}'", "aws_secret_key: {}", "export AWS_SECRET_ACCESS_KEY=\"{}\"",
    '{{"aws_secret_access_key":"{}"}}', "  AwsSecretAccessKey => '{}'",
)  # fmt: skip
IN_HEADERS = (
    "Authorization: Bearer {}", "curl -H 'Authorization: Bearer {}' https://x.example/v1",
    '"authorization": "Bearer {}"', "authorization: bearer {}", "Proxy-Authorization: Bearer {}",
)  # fmt: skip
IN_ADDRESSES = (
    "postgres://app:{}@db.internal:5432/shop", "https://ann:{}@git.example.com/a/b.git",
    "DATABASE_URL=mysql://root:{}@127.0.0.1/x", "redis://default:{}@cache:6379/0",
    "mongodb+srv://svc:{}@cluster0.abc.example.net/?w=majority", "amqp://u:{}@mq//",
)  # fmt: skip
IN_SETTINGS = (
    'password = "{}"', "DB_PASSWORD={}", "password: {}", '"password": "{}"', "passwd={}",
    "MYSQL_ROOT_PASSWORD: '{}'", "api_key={}", "client_secret: {}", "--password={}",
    "PGPASSWORD={}", "auth_token: '{}'", "spring.datasource.password={}", "my password is: {}",
    "secret => '{}'",
)  # fmt: skip
IN_AZURE = (
    "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={};EndpointSuffix=core.windows.net",
    "AccountKey={}", '"AccountKey": "{}"', "AZURE_STORAGE_KEY={}", "SharedAccessKey={}",
)  # fmt: skip

TYPES: dict[str, tuple[Callable[[Random], str], tuple[str, ...]]] = {
    "anthropic": (anthropic, EVERYWHERE),
    "openai": (openai, EVERYWHERE),
    "aws_key_id": (aws_key_id, EVERYWHERE),
    "aws_secret": (aws_secret, AFTER_A_NAME),
    "github": (github, EVERYWHERE),
    "github_fine": (github_fine, EVERYWHERE),
    "gitlab": (gitlab, EVERYWHERE),
    "slack": (slack, EVERYWHERE),
    "slack_hook": (slack_hook, EVERYWHERE),
    "stripe": (stripe, EVERYWHERE),
    "google": (google, EVERYWHERE),
    "npm": (npm, EVERYWHERE),
    "pypi": (pypi, EVERYWHERE),
    "hugging_face": (hugging_face, EVERYWHERE),
    "sendgrid": (sendgrid, EVERYWHERE),
    "digitalocean": (digitalocean, EVERYWHERE),
    "telegram": (telegram, EVERYWHERE),
    "azure": (azure, IN_AZURE),
    "jwt": (jwt, EVERYWHERE),
    "private_key": (private_key, EVERYWHERE),
    "bearer": (bearer, IN_HEADERS),
    "url_password": (url_password, IN_ADDRESSES),
    "password": (password, IN_SETTINGS),
}


@dataclass(frozen=True)
class Sample:
    kind: str
    secret: str
    text: str


def samples(each: int, seed: int = 23) -> Iterator[Sample]:
    """Yield so many secrets of each type, each where such a one stands."""
    for kind, (make, places) in TYPES.items():
        random = Random(f"{seed} {kind}")
        for _ in range(each):
            secret = make(random)
            yield Sample(kind, secret, random.choice(places).format(secret))


def harmless(seed: int = 23) -> Iterator[str]:
    """Yield a text for each kind that is no secret, from the templates in the data file."""
    yield from filled_lines(Random(seed), HARMLESS)


def filled_lines(random: Random, path: Path) -> Iterator[str]:
    """Yield the templates of a file, each a line, with what is random in them."""
    for line in path.read_text().splitlines():
        if line and not line.startswith("## "):
            yield re.sub(r"<(\w+?)(?::(\d+))?>", lambda found: filled(random, found), line)


def filled(random: Random, found: re.Match[str]) -> str:
    """Return what stands for `<hex:40>`, `<b64:90>`, `<uuid>`... in a template."""
    count = int(found[2] or 8)
    match found[1]:
        case "hex":
            return some(random, HEX, count)
        case "HEX":
            return some(random, HEX.upper(), count)
        case "b64":
            return b64(random, count)
        case "url64":
            return b64url(random.randbytes(count))
        case "num":
            return some(random, string.digits, count)
        case "alnum":
            return some(random, ALNUM, count)
        case "lower":
            return some(random, string.ascii_lowercase, count)
        case "upper":
            return some(random, UPPER, count)
        case "word":
            return random.choice(WORDS)
        case "uuid":
            digits = some(random, HEX, 32)
            return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        case _:
            return found[0]
