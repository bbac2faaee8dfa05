"""Boards that move as those of a busy shop, and the events of /live that say so (openapi.yaml)."""

import itertools
import random
import string

ID_LENGTH = 107
ROWS = 10


class MovingBoard:
    """`whole()` is the board, `change()` moves it a little and returns what an event `rows` says of that."""

    def __init__(self, role, seed=1):
        self.role, self.rng, self.numbers = role, random.Random(f"{role} {seed}"), itertools.count(1)
        self.items = [self.newcomer(1000 - 50 * place) for place in range(ROWS)]
        self.rank()

    def newcomer(self, score):
        number = next(self.numbers)
        name = f"{self.rng.choice(['Ann', 'Bo', 'Zofia Zielińska', 'نادية', '日本太郎'])} {number}"
        opaque = "".join(self.rng.choices(string.ascii_letters, k=ID_LENGTH))
        return {"id": opaque, "userId": f"{name} (**...**ABC****)", "name": name, "score": score}

    def rank(self):
        for place, item in enumerate(self.items):
            item.update(rank=place + 1, tied=False, updated="2026-11-30T10:00:00.000Z")

    def whole(self, period=None):
        return {"role": self.role, "items": self.items, "next": None, "period": period, "asOf": None}

    def change(self, period_id=None):
        rows, left = self.rng.choice([self.sell, self.sell, self.overtake, self.replace])()
        return {"role": self.role, "period": period_id, "asOf": None, "rows": rows, "left": left}

    def sell(self):
        place = self.rng.randrange(ROWS)
        self.items[place]["score"] += 1
        return [{"at": place, "score": self.items[place]["score"]}], []

    def overtake(self):
        place = self.rng.randrange(ROWS - 1)
        upper, lower = self.items[place], self.items[place + 1]
        lower["score"] = upper["score"] + 1
        self.items[place : place + 2] = [lower, upper]
        self.rank()
        moved = [{"at": place, "was": place + 1, "rank": place + 1, "score": lower["score"]}]
        return moved + [{"at": place + 1, "was": place, "rank": place + 2}], []

    def replace(self):
        left = self.items.pop()
        self.items.append(self.newcomer(self.items[-1]["score"]))
        self.rank()
        return [{"at": ROWS - 1, **self.items[-1]}], [left["id"]]


def sale(board, other, number):
    """Of a product of somebody on the board."""
    person = lambda item: {name: item[name] for name in ("id", "userId", "name")}
    rng = board.rng
    return {
        "productId": f"product-{number}",
        "name": f"Product {number}",
        "merchant": person(rng.choice(board.items)),
        "photographer": person(rng.choice(other.items)),
        "time": "2026-11-30T10:00:00.000Z",
        "skipped": rng.randrange(5),
    }
