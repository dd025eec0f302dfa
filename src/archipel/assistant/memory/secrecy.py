"""What is never remembered: passwords, keys, numbers of cards and accounts. Pure."""

import re

_NAMED = re.compile(
    r"\b(pass(word|wd|phrase|code)s?|pwd|pin( code)?|api[ _-]?keys?|secrets?|tokens?|credentials?|"
    r"private keys?|mots? de passe|code (pin|secret|confidentiel)|phrase secrète|cl(é|ef)s? (api|"
    r"privée|secrète)s?|identifiants?|cvv|cvc|iban|social security|sécurité sociale)\b",
    re.IGNORECASE,
)
_SHAPED = re.compile(
    r"-----BEGIN |"  # a key in PEM
    r"\beyJ[\w-]{8,}\.[\w-]{4,}|"  # a web token
    r"\b(sk|pk|rk|arch|ghp|gho|github_pat|glpat|hf|xox[abprs]|AKIA|ASIA|AIza)[-_]?[\w-]{12,}|"
    r"\b[A-Z]{2}[0-9]{2}( ?[A-Z0-9]{4}){3,7}( ?[A-Z0-9]{1,3})?\b|"  # an account's number
    r"://[^/\s:@]+:[^/\s@]+@"  # a URL with a password
)
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_DIGITS = re.compile(r"[0-9](?:[ .-]?[0-9]){11,}")


def is_secret(text: str) -> bool:
    """Whether a text has, or seems to have, what opens something or pays."""
    return bool(
        _NAMED.search(text)
        or _SHAPED.search(text)
        or any(map(_is_random, _LONG.findall(text)))
        or any(map(_is_number, _DIGITS.findall(text)))
    )


def _is_random(word: str) -> bool:
    """Letters and digits mixed, as no word is."""
    return bool(re.search("[0-9]", word) and re.search("[A-Za-z]", word))


def _is_number(text: str) -> bool:
    """Of a card, by its check digit, or of 13 digits and more, such as a social security's."""
    digits = [int(sign) for sign in text if sign.isdecimal()]
    return len(digits) >= 13 or _luhn(digits)


def _luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * one, 10)) for one in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
