"""Problems that no one has tuned on: functions drawn at random, for any planner that the public benchmark can drive.

BENCHMARK is a copy of the public benchmark (its run.py, peers.py, problems.py); results go to a folder of their own there.

    python random_problems.py BENCHMARK run PEER [--kind small|high] [--draw N] [--seed S]
    python random_problems.py BENCHMARK table BASE PEER... [--kind small|high] [--draw N]

`small` are 96 problems of 2 to 12 parameters, a third with noise; `high` are 16 of 20 to 50 parameters. PEER is as in run.py.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

A = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
A.add_argument("benchmark")
A.add_argument("what", choices=["run", "table"])
A.add_argument("peers", nargs="+")
A.add_argument("--kind", choices=["small", "high"], default="small")
A.add_argument("--seed", type=int, default=0, help="of the first points and the noise")
A.add_argument("--draw", type=int, default=0, help="another one makes other problems, that nobody has looked at")
A = A.parse_args()
sys.path.insert(0, A.benchmark)

import peers  # noqa: E402
import problems  # noqa: E402
import run  # noqa: E402

RESULTS = Path(A.benchmark) / "random"
KNOWN = RESULTS / f"optima-{A.kind}.json"  # what the climbs below have found, as they take a while
FLOOR = 1e-5  # regrets are not told apart below this share of the first one


def zakharov(z):
    s = (.5 * np.arange(1, len(z) + 1) * z).sum()
    return (z**2).sum() + s**2 + s**4


def dixon_price(z):
    return (z[0] - 1)**2 + (np.arange(2, len(z) + 1) * (2 * z[1:]**2 - z[:-1])**2).sum()


def griewank(z):
    return 1 + (z**2).sum() / 4000 - np.prod(np.cos(z / np.sqrt(np.arange(1, len(z) + 1))))


def rastrigin(z):
    return 10 * len(z) + (z**2 - 10 * np.cos(2 * np.pi * z)).sum()


# Function, what it is turned and moved around, bounds, its least value for each parameter. All but Dixon and Price's have their
# optimum there; that one's, once turned, may lie outside, and then no planner comes to 0.
CLASSIC = {
    "levy": (problems.levy, 1.0, -5, 10, 0.0), "ackley": (problems.ackley, 0.0, -5, 10, 0.0),
    "rosenbrock": (problems.rosenbrock, 1.0, -2, 2, 0.0),
    "styblinski_tang": (problems.styblinski_tang, -2.903534, -5, 5, -39.16616570),
    "griewank": (griewank, 0.0, -10, 10, 0.0), "dixon_price": (dixon_price, 0.0, -2, 2, 0.0),
    "zakharov": (zakharov, 0.0, -2, 3, 0.0), "rastrigin": (rastrigin, 0.0, -1, 1, 0.0)}


def moved(kind, d, g, turned):
    """A well-known function, its optimum moved by up to a fifth of the range, two in five also turned; and its least value."""
    f, at, low, high, least = CLASSIC[kind]
    turn = np.linalg.qr(g.normal(size=(d, d)))[0] if turned and g.random() < .4 else np.eye(d)
    by = g.uniform(-.2, .2, d) * (high - low)
    return lambda z: float(f(at + turn @ (low + z * (high - low) - at - by))), least * d


def drawn(kind, d, g):
    if kind == "process":  # a Gaussian process with a Matern-5/2 kernel, by its spectrum
        scales = np.exp(g.normal(np.log(.35 * np.sqrt(d)), .4, size=d))
        w = g.normal(size=(600, d)) / np.sqrt(g.gamma(2.5, 1 / 2.5, size=(600, 1))) / scales
        b, a = g.uniform(0, 2 * np.pi, 600), g.normal(size=600) * np.sqrt(2 / 600)
        return lambda z: float((a * np.cos(w @ z + b)).sum())
    if kind == "network":
        w, b, out = g.normal(size=(20, d)) * 6 / np.sqrt(d), g.normal(size=20), g.normal(size=20)
        return lambda z: float(out @ np.tanh(w @ (2 * z - 1) + b))
    if kind == "bumps":
        m = int(g.integers(2, 6))
        c, s, h = g.uniform(.1, .9, (m, d)), np.exp(g.normal(np.log(1.5), .7, (m, d))), g.uniform(.5, 1.5, m)
        return lambda z: -float((h * np.exp(-(s * (z - c)**2).sum(1))).sum())
    # a yield: an optimum in each parameter, interactions, a ceiling
    c, a, w = g.uniform(.2, .8, d), np.exp(g.normal(1.2, .6, d)), g.normal(size=(d, d)) * .6 / d
    return lambda z: -100 / (1 + np.exp(-(3 - (a * (z - c)**2).sum() + 4 * (z - .5) @ w @ (z - .5))))


def small(k, g):
    kind = (["process", "network", "bumps", "yield"] + list(CLASSIC))[k % 12]
    d = int(g.choice([2, 3, 4, 5, 6, 8, 10, 12]))
    f, least = moved(kind, d, g, True) if kind in CLASSIC else (drawn(kind, d, g), None)
    return d, f, least, k // 12 % 3 == 2, 30 if d <= 3 else 50


def high(k, g):
    kind = ["levy", "ackley", "rosenbrock", "styblinski_tang", "process", "network", "sparse", "yield"][k % 8]
    d = int(g.choice([20, 30, 50]))
    if kind == "sparse":  # six parameters matter
        six = g.choice(d, 6, replace=False)
        bumps = drawn("bumps", 6, g)
        return d, lambda z: bumps(z[six]), None, False, 100
    f, least = moved(kind, d, g, False) if kind in CLASSIC else (drawn(kind, d, g), None)
    return d, f, least, False, 100


def make():
    """All problems by name. An optimum that isn't known is the best of many climbs; what is better counts as 0 left."""
    RESULTS.mkdir(exist_ok=True)
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    found = {}
    count, first, draw = (96, 1000, small) if A.kind == "small" else (16, 5000, high)
    for k in range(count):
        name = f"{A.kind}{k:02d}" + (f"-{A.draw}" if A.draw else "")
        g = np.random.default_rng(10000 * A.draw + first + k)
        d, f, least, noisy, budget = draw(k, g)
        if name not in known:
            x = g.uniform(size=(6000, d))
            y = np.array([f(z) for z in x])
            if least is None:
                least = min(minimize(f, x[i], bounds=[(0, 1)] * d).fun for i in np.argsort(y)[:40])
            known[name] = [float(least), float(y.std())]
            KNOWN.write_text(json.dumps(known))
        best, sd = known[name]
        found[name] = problems.Problem(name, problems.floats(d, 0, 1), problems.one(f), best, sd=.05 * sd if noisy else 0.0,
                                       budget=budget)
    return found


def runs():
    lines = [json.loads(line) for path in sorted(RESULTS.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return {(r["peer"], r["problem"], r["seed"]): r for r in lines}


def go(all_problems):
    for spec in A.peers:
        name, peer, version = peers.find(spec)
        for p in all_problems.values():
            if (name, p.name, A.seed) in runs():
                continue
            row = run.run(p, peer, A.seed, p.budget, 1)
            row |= {"peer": name, "problem": p.name, "seed": A.seed, "version": version}
            with (RESULTS / f"{name}.jsonl").open("a") as out:
                out.write(json.dumps({k: run.brief(v) for k, v in row.items()}) + "\n")
            print(name, p.name, A.seed, row["best"][-1], p.best, flush=True)


def table(all_problems):
    """log10 of the regret at the end / its mean over the run, as shares of the first, beside BASE on the same problems."""
    had = {key: r for key, r in runs().items() if key[1] in all_problems}

    def score(key):
        p, r = all_problems[key[1]], had[key]
        left = np.maximum(0, np.array(r["best"]) - p.best)
        n = r["n_init"]
        shares = np.log10(np.clip(left[n - 1:] / max(left[n - 1], 1e-12), FLOOR, 10))
        return np.array([shares[-1], shares[1:].mean()])

    base, *others = A.peers
    parts = {"all": lambda p: True, "2-3": lambda p: len(p.params) <= 3, "4-6": lambda p: 4 <= len(p.params) <= 6,
             "8-12": lambda p: 8 <= len(p.params) <= 12, "20-50": lambda p: len(p.params) >= 20, "noisy": lambda p: p.sd > 0}
    print(f"| peer | parameters | runs | left | less than {base} | won : lost |\n| --- | --- | ---: | ---: | ---: | ---: |")
    for other in others:
        for part, belongs in parts.items():
            keys = [k for k in had if k[0] == other and (base, *k[1:]) in had and belongs(all_problems[k[1]])]
            if not keys:
                continue
            mine, less = np.array([score(k) for k in keys]), np.array([score(k) - score((base, *k[1:])) for k in keys])
            error = less.std(axis=0) / len(keys)**.5
            print(f"| {other} | {part} | {len(keys)} | {mine[:, 0].mean():.2f} / {mine[:, 1].mean():.2f} | "
                  f"{less[:, 0].mean():+.2f}±{error[0]:.2f} / {less[:, 1].mean():+.2f}±{error[1]:.2f} | "
                  f"{(less[:, 0] < -.02).sum()} : {(less[:, 0] > .02).sum()} |")


(go if A.what == "run" else table)(make())
