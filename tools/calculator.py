"""Compute an arithmetic expression, exactly as far as that can be."""

import ast
import math
import operator
import sys
from collections.abc import Callable
from decimal import Decimal, InvalidOperation, Overflow, localcontext
from fractions import Fraction

from answer import Args, Problem, answer, deadline, visible

DIGITS = 50  # of what has no exact value
MAX_BITS = 14_000  # of a numerator or a denominator: 4,200 digits
MAX_DEPTH = 1200  # a sum of so many terms
MAX_FACTORIAL = 1500
SHOWN_PLACES = 200


class About(Fraction):
    """A value that had to be rounded, and so is every value computed from it."""


def calculate(args: Args) -> str:
    expression = args["expression"].strip()
    sys.set_int_max_str_digits(0)  # the limits here are tighter
    sys.setrecursionlimit(10_000)
    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as wrong:
        reason = getattr(wrong, "msg", None) or str(wrong)
        raise Problem(
            f"expression: {visible(expression[:100])} cannot be read: {reason}; "
            "write numbers, + - * / // % **, parentheses and functions such as sqrt(2)"
        ) from None
    with deadline(5, "compute something smaller"), localcontext() as context:
        context.prec = DIGITS + 10
        context.Emax, context.Emin = 10_000, -10_000
        try:
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, float):
                    node.value = as_written(ast.get_source_segment(expression, node) or "")
            return shown(value(tree, 0))
        except ZeroDivisionError:
            raise Problem("division by zero") from None
        except (Overflow, InvalidOperation):
            raise Problem("a value on the way is too large or is not a real number") from None


def value(node: ast.expr, depth: int) -> Fraction:
    if depth > MAX_DEPTH:
        raise Problem(f"expression: is nested more than {MAX_DEPTH} deep")
    match node:
        case ast.Constant(value=int() | Fraction()) if not isinstance(node.value, bool):
            return bounded(Fraction(node.value))
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            inner = value(operand, depth + 1)
            return like(-inner, inner) if isinstance(node.op, ast.USub) else inner
        case ast.BinOp(left=left, op=op, right=right):
            return binary(op, value(left, depth + 1), value(right, depth + 1))
        case ast.Name(id="pi" | "e" as name):
            return About(CONSTANTS[name])
        case ast.Name(id=name):
            raise Problem(f"`{visible(name)}` is not known: there are no variables, only pi and e")
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return call(name, [value(arg, depth + 1) for arg in flat(args)])
        case ast.Tuple():
            raise Problem("a comma stands between the arguments of a function only: write 1000")
    raise Problem(
        f"`{visible(ast.unparse(node)[:60])}` is not arithmetic: use numbers, + - * / // % **, "
        f"and {', '.join(sorted(FUNCTIONS))}"
    )


def flat(args: list[ast.expr]) -> list[ast.expr]:
    """Return the arguments; sum([1, 2]) and sum(1, 2) are the same."""
    return args[0].elts if len(args) == 1 and isinstance(args[0], ast.List | ast.Tuple) else args


def as_written(text: str) -> Fraction:
    """Return a literal by its digits, since a float has lost some of them."""
    found = Decimal(text)
    if abs(found.adjusted()) > MAX_BITS // 4:
        raise too_large()
    return Fraction(found)


def binary(op: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case ast.Pow():
            return power(left, right)
        case ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.FloorDiv() | ast.Mod():
            found = Fraction(OPERATORS[type(op)](left, right))
            return bounded(like(found, left, right))
    sign = SIGNS.get(type(op), "")
    meant = ": for a power write **" if isinstance(op, ast.BitXor) else ""
    raise Problem(f"the operator {sign} is not known{meant}")


def power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator == 1:
        size = max(base.numerator.bit_length(), base.denominator.bit_length())
        if abs(base) != 1 and base != 0 and size * abs(exponent) > MAX_BITS:
            if base.denominator == 1 and exponent > 0:
                raise too_large()
            return about(decimal(base) ** int(exponent))
        return bounded(like(Fraction(base ** int(exponent)), base, exponent))
    if base < 0:
        raise Problem("a root of a negative number is not a real number")
    if exponent == Fraction(1, 2):
        return square_root(base)
    if base == 0:
        if exponent < 0:
            raise ZeroDivisionError
        return base
    return about(decimal(base) ** decimal(exponent))


def call(name: str, args: list[Fraction]) -> Fraction:
    if name not in FUNCTIONS:
        raise Problem(f"`{visible(name)}` is not known; there are {', '.join(sorted(FUNCTIONS))}")
    least, most, function = FUNCTIONS[name]
    if not least <= len(args) <= most:
        or_more = "" if least == most else " or more" if most > 2 else f" or {most}"
        many = "" if least == most == 1 else "s"
        raise Problem(f"{name}: takes {least}{or_more} value{many}, got {len(args)}")
    found = function(*args)
    return bounded(found if isinstance(found, About) else like(Fraction(found), *args))


def square_root(x: Fraction) -> Fraction:
    if x < 0:
        raise Problem("sqrt: the root of a negative number is not a real number")
    over, under = math.isqrt(x.numerator), math.isqrt(x.denominator)
    if over * over == x.numerator and under * under == x.denominator:
        return like(Fraction(over, under), x)
    return about(decimal(x).sqrt())


def rounded(x: Fraction, digits: Fraction = Fraction(0)) -> Fraction:
    places = integer("round", digits)
    if abs(places) > 1000:
        raise Problem("round: takes at most 1000 places")
    # Half to even, as in Python and in accounting.
    return Fraction(round(x * Fraction(10) ** places)) / Fraction(10) ** places


def logarithm(x: Fraction, base: Fraction | None = None) -> Fraction:
    if x <= 0 or (base is not None and (base <= 0 or base == 1)):
        raise Problem("log: takes a value above 0, and a base above 0 that is not 1")
    if base is None:
        return x - 1 if x == 1 else about(decimal(x).ln())
    found = about(decimal(x).ln() / decimal(base).ln())
    near = Fraction(round(found))
    if power(base, near) == x:
        return near
    return found


def exponential(x: Fraction) -> Fraction:
    return Fraction(1) if x == 0 else about(decimal(x).exp())


def factorial(x: Fraction) -> Fraction:
    n = integer("factorial", x)
    if n < 0 or n > MAX_FACTORIAL:
        raise Problem(f"factorial: takes a whole number from 0 to {MAX_FACTORIAL:,}")
    return Fraction(math.factorial(n))


def greatest_divisor(*args: Fraction) -> Fraction:
    return Fraction(math.gcd(*(integer("gcd", arg) for arg in args)))


def integer(name: str, x: Fraction) -> int:
    if x.denominator != 1:
        raise Problem(f"{name}: takes whole numbers, got {shown(x)}")
    return x.numerator


def decimal(x: Fraction) -> Decimal:
    return Decimal(x.numerator) / Decimal(x.denominator)


def about(x: Decimal) -> Fraction:
    return About(x)


def like(found: Fraction, *sources: Fraction) -> Fraction:
    """Return a value as rounded, when one that it was computed from is."""
    return About(found) if any(isinstance(source, About) for source in sources) else found


def bounded(x: Fraction) -> Fraction:
    if max(x.numerator.bit_length(), x.denominator.bit_length()) <= MAX_BITS:
        return x
    if x.denominator == 1 and not isinstance(x, About):
        raise too_large()
    return About(decimal(x))


def too_large() -> Problem:
    return Problem("a value has more than 4,200 digits: compute something smaller, or its log")


def shown(x: Fraction) -> str:
    if isinstance(x, About):
        return f"about {in_digits(x)}"
    if x.denominator == 1:
        return str(x.numerator)
    twos, fives, rest = 0, 0, x.denominator
    while rest % 2 == 0:
        twos, rest = twos + 1, rest // 2
    while rest % 5 == 0:
        fives, rest = fives + 1, rest // 5
    places = max(twos, fives)
    if rest == 1 and places <= SHOWN_PLACES:
        digits = str(abs(x.numerator) * 10**places // x.denominator).rjust(places + 1, "0")
        return f"{'-' if x < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    exact = f"{x.numerator}/{x.denominator}, " if x.denominator < 10**DIGITS else ""
    return f"{exact}about {in_digits(x)}"


def in_digits(x: Fraction) -> str:
    with localcontext() as context:
        context.prec = DIGITS
        text = f"{decimal(x):f}" if 10**-9 < abs(x) < 10**DIGITS else str(decimal(x))
    return text.rstrip("0").rstrip(".") if "." in text and "E" not in text else text


OPERATORS: dict[type, Callable[[Fraction, Fraction], Fraction | int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
SIGNS: dict[type, str] = {
    ast.BitXor: "^",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.MatMult: "@",
}
CONSTANTS = {
    "pi": "3.14159265358979323846264338327950288419716939937510582097494459",
    "e": "2.71828182845904523536028747135266249775724709369995957496696763",
}
FUNCTIONS: dict[str, tuple[int, int, Callable[..., Fraction | int]]] = {
    "abs": (1, 1, abs),
    "ceil": (1, 1, math.ceil),
    "exp": (1, 1, exponential),
    "factorial": (1, 1, factorial),
    "floor": (1, 1, math.floor),
    "gcd": (1, 1000, greatest_divisor),
    "log": (1, 2, logarithm),
    "max": (1, 1000, lambda *args: max(args)),
    "min": (1, 1000, lambda *args: min(args)),
    "round": (1, 2, rounded),
    "sqrt": (1, 1, square_root),
    "sum": (0, 1000, lambda *args: sum(args, Fraction(0))),
}

answer(calculate)
