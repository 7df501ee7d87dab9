"""A planner of one's own for Eutectic, on BoTorch.

    pip install botorch grpcio grpcio-tools
    python botorch_planner.py --proto PATH/TO/eutectic/proto --port 50061

and in campaign.toml:

    [planner]
    address = "http://127.0.0.1:50061"

It has the one call that a planner must have, Suggest; what a campaign answers at its end is then found by Eutectic's own
model. Everything that BoTorch is told stands in `suggest`; the rest turns points into the unit cube and back.
"""

import argparse
import math
import sys
from concurrent import futures

import botorch
import grpc
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.objective import GenericMCObjective
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf_discrete
from gpytorch.mlls import SumMarginalLogLikelihood

INITIAL = 10        # points of the space-filling start, where the campaign asks for no other number
SPREAD = 2048       # candidates all over the space
AROUND = 512        # candidates around the best point
MAX_WORKERS = 2

torch.set_default_dtype(torch.double)
torch.set_num_threads(1)


class Space:
    """Points as Eutectic has them, and as the unit cube: numbers scaled, categories one-hot."""

    def __init__(self, problem):
        self.problem = problem

    def features(self, point):
        row = []
        for parameter, value in zip(self.problem.parameters, point):
            match parameter.WhichOneof("domain"):
                case "categorical":
                    row += [float(index == value) for index in range(len(parameter.categorical.choices))]
                case kind:
                    it = getattr(parameter, kind)
                    scale = math.log if it.log else float
                    row.append((scale(value) - scale(it.low)) / (scale(it.high) - scale(it.low)))
        return row

    def point(self, uniform):
        """The point at uniform numbers in [0, 1), one a parameter."""
        point = []
        for parameter, u in zip(self.problem.parameters, uniform):
            match parameter.WhichOneof("domain"):
                case "categorical":
                    count = len(parameter.categorical.choices)
                    point.append(float(min(int(u * count), count - 1)))
                case kind:
                    it = getattr(parameter, kind)
                    if it.log:
                        value = math.exp(math.log(it.low) + u * (math.log(it.high) - math.log(it.low)))
                    else:
                        value = it.low + u * (it.high - it.low)
                    value = round(value) if kind == "integer" else value
                    point.append(float(min(max(value, it.low), it.high)))
        return point

    def uniform(self, point):
        """Uniform numbers that give this point again."""
        features, at = [], 0
        row = self.features(point)
        for parameter in self.problem.parameters:
            if parameter.WhichOneof("domain") == "categorical":
                count = len(parameter.categorical.choices)
                features.append((row.index(1.0, at) - at + 0.5) / count)
                at += count
            else:
                features.append(row[at])
                at += 1
        return torch.tensor(features)

    def allows(self, point):
        """Whether every known constraint holds: each is a small program in postfix notation."""
        return all(self.holds(known.terms, point) for known in self.problem.known)

    def holds(self, terms, point):
        stack = []
        for term in terms:
            kind = term.WhichOneof("term")
            if kind == "parameter":
                parameter = self.problem.parameters[term.parameter]
                value = point[term.parameter]
                categorical = parameter.WhichOneof("domain") == "categorical"
                stack.append(parameter.categorical.choices[int(value)] if categorical else value)
            elif kind == "operator":
                function, count = OPERATORS[protos.Operator.Name(term.operator).removeprefix("OPERATOR_")]
                operands = [stack.pop() for _ in range(count)][::-1]
                try:
                    stack.append(function(*operands))
                except (ArithmeticError, ValueError):
                    return False
            else:
                stack.append(getattr(term, kind))
        return bool(stack.pop())


OPERATORS = {
    "NEGATE": (lambda a: -a, 1), "NOT": (lambda a: not a, 1), "ABS": (abs, 1), "SQRT": (math.sqrt, 1),
    "EXP": (math.exp, 1), "LN": (math.log, 1), "LOG10": (math.log10, 1), "ADD": (lambda a, b: a + b, 2),
    "SUBTRACT": (lambda a, b: a - b, 2), "MULTIPLY": (lambda a, b: a * b, 2), "DIVIDE": (lambda a, b: a / b, 2),
    "POWER": (lambda a, b: a**b, 2), "MIN": (min, 2), "MAX": (max, 2), "LESS": (lambda a, b: a < b, 2),
    "LESS_OR_EQUAL": (lambda a, b: a <= b, 2), "GREATER": (lambda a, b: a > b, 2),
    "GREATER_OR_EQUAL": (lambda a, b: a >= b, 2), "EQUAL": (lambda a, b: a == b, 2),
    "NOT_EQUAL": (lambda a, b: a != b, 2), "AND": (lambda a, b: a and b, 2), "OR": (lambda a, b: a or b, 2),
    "CHOOSE": (lambda condition, a, b: a if condition else b, 3),
}


def initial(space, request, count):
    """The next `count` points of a scrambled Sobol sequence, from where the last call stopped."""
    sobol = torch.quasirandom.SobolEngine(len(space.problem.parameters), scramble=True, seed=request.seed % 2**31)
    points = (space.point(row.tolist()) for row in sobol.draw(20_000))
    allowed = [point for point in points if space.allows(point)]
    return allowed[len(request.rows) : len(request.rows) + count]


def candidates(space, best):
    """Allowed points all over the space, and around the best one."""
    spread = torch.rand(SPREAD, len(best))
    around = (best + 0.1 * torch.randn(AROUND, len(best)) * (torch.rand(AROUND, len(best)) < 0.5)).clamp(0, 1 - 1e-9)
    points = [space.point(row.tolist()) for row in torch.cat([spread, around])]
    return [point for point in points if space.allows(point)]


def suggest(space, request):
    problem = space.problem
    observed = [row for row in request.rows if row.WhichOneof("outcome") == "observed"]
    pending = [row.point for row in request.rows if row.WhichOneof("outcome") == "pending"]
    outcomes = [[*row.observed.objectives, *row.observed.constraints] for row in observed]
    whole = [all(measure.measured for measure in row) for row in outcomes]
    observed = [row for row, good in zip(observed, whole) if good]
    outcomes = [row for row, good in zip(outcomes, whole) if good]
    start = problem.initial if problem.has_initial else INITIAL
    if len(request.rows) < start or len(observed) < 2:
        return [(point, protos.REASON_INITIAL, []) for point in initial(space, request, request.count)]

    torch.manual_seed((request.seed + len(request.rows)) % 2**31)
    x = torch.tensor([space.features(row.point) for row in observed])
    y = torch.tensor([[measure.value for measure in row] for row in outcomes])
    models = [SingleTaskGP(x, y[:, [i]], outcome_transform=Standardize(1)) for i in range(y.shape[1])]
    model = ModelListGP(*models)
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))

    feasible = (y[:, 1:] <= 0).all(dim=1)
    worth = torch.where(feasible | ~feasible.any(), y[:, 0], -torch.inf)
    best = space.uniform(observed[int(worth.argmax())].point)
    allowed = candidates(space, best)
    acquisition = qLogNoisyExpectedImprovement(
        model,
        X_baseline=x,
        X_pending=torch.tensor([space.features(point) for point in pending]) if pending else None,
        objective=GenericMCObjective(lambda samples, X=None: samples[..., 0]),
        constraints=[lambda samples, i=i: samples[..., i] for i in range(1, y.shape[1])] or None,
        prune_baseline=True,
    )
    choices = torch.tensor([space.features(point) for point in allowed])
    chosen, _ = optimize_acqf_discrete(acquisition, q=request.count, choices=choices, unique=True)
    with torch.no_grad():
        posterior = model.posterior(chosen)
        estimates = torch.stack([posterior.mean, posterior.variance.sqrt()], dim=-1).tolist()
    places = [int((choices == row).all(dim=1).nonzero()[0]) for row in chosen]
    return [(allowed[place], protos.REASON_IMPROVE, told) for place, told in zip(places, estimates)]


def suggestion(point, reason, estimates):
    told = [protos.Estimate(mean=mean, sd=sd) for mean, sd in estimates]
    text = "qLogNEI by BoTorch" if told else ""
    return protos.Suggestion(point=point, reason=reason, text=text, objectives=told[:1], constraints=told[1:])


def serve(port):
    class Planner(services.PlannerServiceServicer):
        def Suggest(self, request, context):
            if len(request.problem.objectives) != 1:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this planner takes one objective")
            found = suggest(Space(request.problem), request)
            if len(found) < request.count:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no point was found that the constraints allow")
            name = f"botorch {botorch.__version__}, botorch_planner.py"
            return protos.SuggestResponse(suggestions=[suggestion(*it) for it in found], planner=name)

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=MAX_WORKERS))
    services.add_PlannerServiceServicer_to_server(Planner(), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print(f"planner at http://127.0.0.1:{bound}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--proto", required=True, help="the folder that has eutectic/planner/v1/planner.proto")
    parser.add_argument("--port", type=int, default=50061, help="0 takes a free one")
    arguments = parser.parse_args()
    sys.path.insert(0, arguments.proto)
    protos, services = grpc.protos_and_services("eutectic/planner/v1/planner.proto")
    serve(arguments.port)
