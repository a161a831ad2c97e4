"""The quantile of the normal distribution as a graph."""

from __future__ import annotations

from collections.abc import Sequence

from aegismatrix_factory.rescue.converting.writing import Writer

LEAST = 1e-9
"""The nearest to 0 and to 1 that a share may be."""

_MIDDLE = 0.425
_NUMERATOR = (
    *(3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3),
    *(1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4),
    *(3.3430575583588128105e4, 2.5090809287301226727e3),
)
_DENOMINATOR = (
    *(1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3),
    *(2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4),
    5.2264952788528545610e3,
)
_OUTER_NUMERATOR = (
    *(1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0),
    *(3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1),
    *(2.27238449892691845833e-2, 7.74545014278341407640e-4),
)
_OUTER_DENOMINATOR = (
    *(1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1),
    *(1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4),
    1.05075007164441684324e-9,
)


def normal_quantile(writer: Writer, share: str) -> str:
    """Write where the normal distribution has a share below.

    Algorithm AS 241 (Wichura 1988), exact to about 1e-16, without its last branch, which is for
    shares that are less than 1e-10 away from 0 or 1.

    Parameters
    ----------
    writer : Writer
    share : str
        Float64, at least `LEAST` and at most 1 - `LEAST`; NaN stays NaN.

    Returns
    -------
    str
        Float64, of the same shape.
    """
    off = writer.add("Sub", [share, writer.number(0.5)])
    squared = writer.add("Mul", [off, off])
    inner = writer.add("Sub", [writer.number(_MIDDLE**2), squared])
    middle = writer.add("Mul", [off, _ratio(writer, inner, _NUMERATOR, _DENOMINATOR)])
    below = writer.add("Less", [off, writer.number(0.0)])
    other = writer.add("Sub", [writer.number(1.0), share])
    tail = writer.add("Where", [below, share, other])
    root = writer.add("Sqrt", [writer.add("Neg", [writer.add("Log", [tail])])])
    outer = writer.add("Sub", [root, writer.number(1.6)])
    far = _ratio(writer, outer, _OUTER_NUMERATOR, _OUTER_DENOMINATOR)
    signed = writer.add("Where", [below, writer.add("Neg", [far]), far])
    near = writer.add("LessOrEqual", [writer.add("Abs", [off]), writer.number(_MIDDLE)])
    return writer.add("Where", [near, middle, signed])


def _ratio(writer: Writer, x: str, above: Sequence[float], below: Sequence[float]) -> str:
    return writer.add("Div", [_polynomial(writer, x, above), _polynomial(writer, x, below)])


def _polynomial(writer: Writer, x: str, coefficients: Sequence[float]) -> str:
    *lower, value = (writer.number(one) for one in coefficients)
    for one in reversed(lower):
        value = writer.add("Add", [writer.add("Mul", [value, x]), one])
    return value
