"""What engines keep together: models in dictionaries and tuples, with names, dates, generators."""

import datetime
from collections import OrderedDict, defaultdict
from typing import Any, Callable, Dict

import numpy as np
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from scripts.legacy_families.cases import Case, Data, Made, installed, release

SEED = 7
EVERY = ("every",)


def line(data: Data, label: str = "binary") -> Any:
    """Fit a LogisticRegression with the solver of today in every release."""
    model = LogisticRegression(solver="lbfgs", max_iter=500)
    return model.fit(data.train, getattr(data, label))


def forest(data: Data, label: str = "binary") -> Any:
    """Fit a small forest."""
    model = RandomForestClassifier(n_estimators=3, max_depth=3, random_state=SEED)
    return model.fit(data.train, getattr(data, label))


def flat(data: Data) -> Any:
    """Return a model, its scaler, and what is told about them."""
    scaler = StandardScaler().fit(data.train)
    bundle: Dict[str, Any] = {
        "model": line(data),
        "scaler": scaler,
        "features": data.names,
        "threshold": np.float64(0.42),
        "trained_on": datetime.date(2023, 4, 17),
        "made_at": datetime.datetime(2023, 4, 17, 15, 30, 1, 250),
        "horizon": datetime.timedelta(days=5),
        "version": 3,
        "metrics": {"brier": 0.21, "rows": len(data.train)},
    }
    return Made(bundle, parts={"model": bundle["model"], "scaler": scaler})


def nested(data: Data) -> Any:
    """Return models by horizon and by kind."""
    bundle: Dict[str, Any] = {
        "models": {
            "week": {"line": line(data), "forest": forest(data)},
            "month": {"line": line(data, "classes"), "forest": forest(data, "labels")},
        },
        "targets": [Ridge().fit(data.train, data.target), Ridge(5.0).fit(data.train, data.target)],
        "names": {"week": 5, "month": 22},
    }
    parts = {
        "models/week/line": bundle["models"]["week"]["line"],
        "models/week/forest": bundle["models"]["week"]["forest"],
        "models/month/line": bundle["models"]["month"]["line"],
        "models/month/forest": bundle["models"]["month"]["forest"],
        "targets/0": bundle["targets"][0],
        "targets/1": bundle["targets"][1],
    }
    return Made(bundle, parts=parts)


def paired(data: Data) -> Any:
    """Return a tuple of a model, its scaler and names."""
    scaler = MinMaxScaler().fit(data.train)
    pair = (line(data, "labels"), scaler, data.names, datetime.date(2021, 1, 29))
    return Made(pair, parts={"0": pair[0], "1": scaler})


def listed(data: Data) -> Any:
    """Return a list of models."""
    models = [line(data), forest(data, "classes"), make_pipeline(StandardScaler(), Ridge())]
    models[2].fit(data.train, data.target)
    return Made(models, parts={str(place): model for place, model in enumerate(models)})


def by_number(data: Data) -> Any:
    """Return models by horizon, which are whole numbers, in the mappings of collections."""
    models = OrderedDict(
        (days, line(data, label)) for days, label in ((5, "binary"), (22, "sides"))
    )
    others = defaultdict(list)
    others["all"].append(
        KMeans(n_clusters=3, n_init=1, random_state=SEED).fit(data.train[data.few])
    )
    parts = {"models/5": models[5], "models/22": models[22], "others/all/0": others["all"][0]}
    return Made({"models": models, "others": others}, parts=parts)


def with_generators(data: Data) -> Any:
    """Return a model beside a RandomState, and one that holds it."""
    states = np.random.RandomState(SEED)
    model = RandomForestRegressor(n_estimators=2, max_depth=2, random_state=states)
    bundle: Dict[str, Any] = {"model": model.fit(data.train, data.target), "random_state": states}
    if hasattr(np.random, "default_rng"):
        bundle["generator"] = np.random.default_rng(SEED)
    return Made(bundle, parts={"model": bundle["model"]})


def with_names(data: Data) -> Any:
    """Return a model with names in arrays of text, of objects, and in a set."""
    bundle: Dict[str, Any] = {
        "model": line(data, "labels"),
        "columns": np.array(data.names),
        "columns_object": np.array(data.names, dtype=object),
        "columns_with_none": np.array([*data.names, None, 3, 2.5, "São Paulo"], dtype=object),
        "used": set(data.names),
        "days": np.array(["2023-04-17", "2023-04-18"], dtype="datetime64[D]"),
        "encoder": LabelEncoder().fit(data.labels),
    }
    return Made(bundle, parts={"model": bundle["model"]})


def with_pandas(data: Data) -> Any:
    """Return a model with an Index, a Series, a Timestamp beside it."""
    import pandas as pd

    model = line(data)
    bundle: Dict[str, Any] = {
        "model": model,
        "columns": pd.Index(data.names),
        "importance": pd.Series(model.coef_[0], index=data.names, name="weight"),
        "day": pd.Timestamp("2023-04-17 09:15"),
        "rows": pd.RangeIndex(5),
    }
    return Made(bundle, parts={"model": model})


def with_a_frame(data: Data) -> Any:
    """Return a model with the frame that it was fitted on."""
    model = line(data)
    return Made({"model": model, "frame": data.frame("frame").head(8)}, parts={"model": model})


def with_strings_of_numpy(data: Data) -> Any:
    """Return a model beside an array of numpy 2's own kind of text."""
    kind: Any = np.dtypes.StringDType()
    missing: Any = np.dtypes.StringDType(na_object=None)
    bundle: Dict[str, Any] = {
        "model": line(data),
        "names": np.array(data.names, dtype=kind),
        "optional": np.array(["a", None, "früh"], dtype=missing),
    }
    return Made(bundle, parts={"model": bundle["model"]})


def seeded(make: Callable[[], Any]) -> Callable[[Data], Any]:
    """Return what fits a model whose state holds a generator."""
    return lambda data: make().fit(data.train, data.binary)


def spoilt(data: Data) -> Any:
    """Return a model with NaN among its weights."""
    model = line(data)
    model.coef_[0, 1] = np.nan
    return model


class TrapEngine:
    """An engine's own class around a model: no other process knows it."""

    def __init__(self, model: Any) -> None:
        self.model = model


def of_its_own(data: Data) -> Any:
    """Return a model inside a class of the engine."""
    return TrapEngine(line(data))


def container(data: Data) -> Any:
    """Return what is written in every form: a scaler, a tree, and labels of text."""
    bundle: Dict[str, Any] = {
        "scaler": StandardScaler().fit(data.train),
        "tree": DecisionTreeClassifier(max_depth=2, random_state=SEED).fit(data.train, data.labels),
        "line": line(data, "labels"),
        "by_column": np.asfortranarray(data.train[:3]),
        "empty": np.zeros((0, 3)),
    }
    names = ("scaler", "tree", "line")
    return Made(bundle, parts={name: bundle[name] for name in names})


TABLE = [
    Case("bundle", flat, "inert"),
    Case("bundle_nested", nested, "inert"),
    Case("bundle_tuple", paired, "inert"),
    Case("bundle_list", listed, "inert"),
    Case("bundle_by_number", by_number, "inert"),
    Case("bundle_generators", with_generators, "inert"),
    Case("bundle_names", with_names, "inert"),
    Case(
        "forest_of_random_state",
        seeded(
            lambda: RandomForestClassifier(
                n_estimators=2, max_depth=2, random_state=np.random.RandomState(SEED)
            )
        ),
        "classifier",
    ),
    Case("spoilt", spoilt, "inert", expected="refused", why="nan weights"),
    Case("foreign_class", of_its_own, "inert", expected="refused", why="unknown class"),
    Case("container", container, "inert", forms=EVERY),
]
if installed("pandas"):
    TABLE += [
        Case("bundle_pandas", with_pandas, "inert"),
        Case("bundle_frame", with_a_frame, "inert", expected="either"),
    ]
if release("numpy") >= (2, 0):
    TABLE.append(Case("bundle_numpy_strings", with_strings_of_numpy, "inert"))
