"""The families: what can be converted, a module for each group of classes.

To add one, write a module in this folder that has ``FAMILIES``, a tuple of `Family`; nothing else
is touched, neither the reader, which makes an inert record of whatever a known library names, nor
a list. `scaling.py` is the shortest to read first.

1. **Declare** the class, every module that it was ever in, the releases that were tried, and its
   attributes in two lists: ``used`` are read by ``read`` or the oracle, ``harmless`` are known not
   to matter to what it answers (how it was trained, what came of it). A record with any other
   attribute is refused by name, so collect them from models of every release, fitted with every
   option. `_sklearn_version`, `n_features_in_` and `feature_names_in_` need no mention.
2. **read(attributes, reader) -> Model** checks each attribute with `Attributes.numbers`, `text`,
   `flag`, `labels` and others, and makes the family's own frozen dataclass of parameters. It
   branches on ``attributes.since(1, 3, 1)``: patch releases count. Estimators inside go through
   ``reader.part``. What was never measured is refused: `UnsupportedModelError`. `Model.answers`
   says what may be asked, first what its artifact answers; all answers are (N, columns) inside.
3. **graph(part, answer, writer, x) -> Table** writes the answer in float64, from the parameters
   alone. Ask ``x.numbers()`` for the tensor. A column ``x.columns[i]`` of text holds places in
   its list: `Column.place` says where a text is, and `UNKNOWN` stands for any other. Parts inside
   are written by ``part.graph(answer, writer, x)``.
4. **oracle(attributes, answer, rows, oracle) -> ndarray** computes the same in numpy from the
   record alone, as that release defines it, without a line of ``read`` or ``graph``: it reads the
   attributes again, in the order of the library's own source. ``oracle.answer`` asks records
   inside. Rows of text are objects.
   Where the library would raise an error for a row, ``oracle.refuse(rows)`` takes its answer away,
   and ``writer.refuse(rows)`` in the graph, whatever stands behind: NaN alone would not do, since
   a tree or an imputer takes it for a value. What may make NaN or infinite numbers as its library
   does is ``doubtful``, and a part behind that does not take them refuses their rows by itself.
5. **probe** gives the rows at which both are compared, where they could differ: thresholds, edges,
   ties. A transformer has **back**, from rows behind it to rows before it, if it can be undone.

`tests/rescue/test_families.py` holds for all of them that an unknown attribute is refused, that
what is ``used`` is read, and that no class has two families.
"""
