"""A small function compiled as one piece of machine code.

On a processor XLA's runtime starts every fused loop of a program by itself, at about a microsecond
each: of a surrogate's single call that is half. A call with the attribute ``xla_cpu_small_call``
becomes one function instead; XLA gives it to its own small loops, we give it to the whole.
"""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jax
from jax.extend.core import Literal

from tengri.forward.packing import handed_over, in_jit

try:
    from jax.experimental.xla_metadata import set_xla_metadata
except ImportError:  # experimental: without it every call goes through the general program
    set_xla_metadata = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)
#: What a compiler raises that does not know the attribute, or the form of a traced program, any
#: more; JaxRuntimeError: a fusion that XLA leaves to a library, known only after it has optimised.
COMPILER_ERRORS = (jax.errors.JaxRuntimeError, AttributeError, KeyError, NotImplementedError,
                   TypeError, ValueError)  # fmt: skip
#: Calls of inner functions, which are written out: left alone, each would stay a function.
CALLS = {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"}
#: What XLA cannot do inside one piece: scatters, sorts, and all that a library does.
LIBRARY = re.compile(
    r"^(scatter|select_and_scatter|sort|fft|conv_general|cholesky|triangular_solve|eig|svd|lu|qr"
    r"|geqrf|geqp3|householder|ormqr|schur|hessenberg|tridiagonal)|top_k|callback|ffi_call"
)
Options = tuple[tuple[str, bool | int], ...]
ATTRIBUTES = {"xla_cpu_small_call": "true", "inlineable": "false"}
#: Calls after which a function is compiled for itself, its constants in it. Measured on two cores:
#: of a surrogate's single call half the time goes into handing its constants over.
SPECIALISE_AFTER = 16
#: How programs of one galaxy are compiled, hardly optimised: of a processor's two compilers of
#: loops the older one, and machine code as it comes.
#: What that gains: `benchmarks/first_numbers.py`.
QUICK_OPTIONS: Options = (
    ("xla_cpu_use_fusion_emitters", False),
    ("xla_backend_optimization_level", 0),
)
#: How long a call looks for its answer before it goes to sleep [s]: a thread that sleeps is woken
#: by the kernel, which can take longer than the call.
AWAIT_S = 5e-4
#: Set to ``off``, every call goes through the general program and waits as JAX does.
SWITCH = "TENGRI_SMALL_CALLS"


class compiled_quickly:
    """A function, compiled soon rather than well; inside a transformation as ``jax.jit`` has it.

    Parameters
    ----------
    fn : callable
        A pure function of pytrees that is called for one galaxy at a time.
    static_argnames : str, optional
        The argument that is no pytree, given by name.

    Attributes
    ----------
    well : callable
        The same function as ``jax.jit`` compiles it.
    """

    def __init__(self, fn: Callable[..., Any], static_argnames: str | None = None) -> None:
        self.well = jax.jit(fn, static_argnames=static_argnames)
        self._quick = cache(lambda options: jax.jit(
            fn, static_argnames=static_argnames, compiler_options=dict(options)))  # fmt: skip

    def __call__(self, *args: Any, **static: Any) -> Any:
        """Return what the function gives."""
        traced = any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(args)) or in_jit()
        if traced or jax.default_backend() != "cpu" or not is_on() or not _are_known(QUICK_OPTIONS):
            return self.well(*args, **static)
        return self._quick(QUICK_OPTIONS)(*args, **static)


@cache
def _are_known(options: Options) -> bool:
    try:
        jax.jit(lambda x: x + 1, compiler_options=dict(options)).lower(0).compile()
    except COMPILER_ERRORS as error:
        logger.info("first calls are compiled like others: %s", error)
        return False
    return True


class SmallCall:
    """A function of constants and one pytree that is called over and over with small inputs.

    The first calls go through a general program, which other models of the same structure share;
    then one is compiled in one piece, with the constants in it. Where the compiler gives that up,
    it is the general program, compiled well.

    Parameters
    ----------
    general, lasting : callable
        ``general(constants, x)``, compiled for the first calls and for good.
    constants : pytree
    fn : callable
        ``fn(x)``: the same function with the constants of a single call.
    """

    def __init__(
        self,
        general: Callable[[Any, Any], Any],
        lasting: Callable[[Any, Any], Any],
        constants: Any,
        fn: Callable[[Any], Any],
    ) -> None:
        self._general = lambda x: general(constants, x)
        self._lasting = lambda x: lasting(constants, x)
        self._one_piece = jax.jit(in_one_piece(fn))
        self._chosen = self._general
        self._general_calls = SPECIALISE_AFTER if is_on() else math.inf

    def __call__(self, x: Any) -> Any:
        """Return ``fn(x)``, its first leaf ready or nearly so."""
        x = handed_over(x)
        if self._chosen is self._one_piece:
            result = self._chosen(x)
        elif self._general_calls > 0:
            self._general_calls -= 1
            result = self._general(x)
        else:
            result = self._specialised(x)
        if self._general_calls < math.inf:
            await_briefly(result[0] if type(result) is tuple else jax.tree.leaves(result)[0])
        return result

    def _specialised(self, x: Any) -> Any:
        """Compile in one piece, or what the compiler can do in its place."""
        try:
            result = self._one_piece(x)
        except COMPILER_ERRORS as error:
            logger.debug("single calls are not specialised: %s", error)
            self._general_calls, self._general = math.inf, self._lasting
            return self._general(x)
        self._chosen = self._one_piece
        return result


def is_on() -> bool:
    """Return whether single calls may be specialised; an environment variable says no."""
    return os.environ.get(SWITCH, "on").lower() not in ("off", "0", "no")


def await_briefly(x: Any) -> None:
    """Look whether ``x`` is there until it is, for a moment; then leave it to whoever needs it."""
    until = time.perf_counter() + AWAIT_S
    while not x.is_ready() and time.perf_counter() < until:
        pass


def in_one_piece(fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return ``fn``, a pure function of one pytree, such that ``jax.jit`` compiles it as one piece.

    On a device that is no processor, or if ``fn`` needs what cannot be in one piece, it is ``fn``.
    """

    def call(x: Any) -> Any:
        if jax.default_backend() != "cpu" or set_xla_metadata is None:
            return fn(x)
        closed, shape = jax.make_jaxpr(fn, return_shape=True)(x)
        if any(map(LIBRARY.search, _primitives(closed.jaxpr))):
            return fn(x)
        piece = jax.jit(lambda *leaves: _written_out(closed.jaxpr, closed.consts, leaves))
        with set_xla_metadata(**ATTRIBUTES):
            result = piece(*jax.tree.leaves(x))
        return jax.tree.unflatten(jax.tree.structure(shape), result)

    return call


def _primitives(jaxpr: Any) -> Iterator[str]:
    """Yield the name of every operation, those of inner functions included."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for inner in jax.tree.leaves(tuple(equation.params.values())):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                yield from _primitives(inner)


def _written_out(jaxpr: Any, consts: Any, args: Any) -> list[Any]:
    """Evaluate a jaxpr without its calls of inner functions."""
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args]))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        given, params = [read(atom) for atom in equation.invars], equation.params
        if equation.primitive.name in CALLS:
            inner = params["jaxpr"] if "jaxpr" in params else params["call_jaxpr"]
            result = _written_out(inner.jaxpr, inner.consts, given)
        else:
            result = equation.primitive.bind(*given, **params)
            result = result if equation.primitive.multiple_results else [result]
        values.update(zip(equation.outvars, result))
    return [read(atom) for atom in jaxpr.outvars]
