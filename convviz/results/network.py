"""Hold the maps that the steps of a network make of a picture, as a value that shows and saves itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convviz import __version__
from convviz.compute.networks.engine import NetworkStep, activations, meaning
from convviz.compute.networks.overview import output_steps, rows_read
from convviz.compute.networks.sources import Opened
from convviz.compute.survey import by_energy
from convviz.errors import SpecError, UnknownNameError
from convviz.images.picture import Picture
from convviz.render.sheets import strips
from convviz.render.sheets.layout import Sheet
from convviz.results import outputs
from convviz.results.context import Seen, in_network
from convviz.results.feature_maps import FeatureMaps
from convviz.results.layer_maps import LayerMaps
from convviz.spec import scales, settings
from convviz.spec.geometry import HW
from convviz.spec.layers import Shape, shape_text
from convviz.text import number, plural
from convviz.typing import Floats

if TYPE_CHECKING:
    from convviz.page.stored import OwnProgram
    from convviz.results.pages import Page

# The number of outputs that a heading names.
_NAMED = 6
# A network that was made in Python has weights, but no file of them.
_IN_PYTHON = "# copy the weights of the network into the layers below"
# The number of classes to name for a prediction.
_BEST = 5


@dataclass(frozen=True, slots=True, eq=False)
class NetworkMaps(Mapping[str, FeatureMaps | LayerMaps]):
    """Hold the outputs of the layers of a network for a picture, by their names.

    Parameters
    ----------
    opened : Opened
        The network.
    steps : sequence of NetworkStep
        Its steps for this input.
    picture : Picture
        The input.
    made : dict of ndarray, float32
        The outputs of steps that are already computed.
    backend : str
        The library that computed them.
    device : str
        The device that computed them.
    title : str
        The name of the network on a sheet.
    shown : sequence of NetworkStep, optional
        The steps of an overview, the sheet of all layers; by default it has all but flattening.
    rows : sequence of NetworkStep, optional
        The steps on all sheets of the network, if this one shows a part of them.
    """

    opened: Opened
    steps: Sequence[NetworkStep]
    picture: Picture
    made: Mapping[str, Floats]
    backend: str = "numpy"
    device: str = "cpu"
    title: str = field(default="")
    shown: Sequence[NetworkStep] = ()
    rows: Sequence[NetworkStep] = ()

    def __repr__(self) -> str:
        named = ", ".join([*list(self)[:3], *(["…"] if len(self) > 3 else [])])
        return f"<NetworkMaps: {plural(len(self), 'layer')}: {named}>"

    def __getitem__(self, name: str) -> FeatureMaps | LayerMaps:
        step = self.step(name)
        name = step.name
        if step.convolution != "Conv2d" or not self.opened.engine.convolves(name):
            return LayerMaps(self, name)
        found = in_network(self.opened, self.picture, name)
        assert found.network is not None
        return FeatureMaps(
            found.network.maps,
            found.layer,
            found.weights,
            found.picture,
            self.backend,
            device=self.device,
            origin=found.network.words,
            rounding=found.network.rounding,
        )

    def __iter__(self) -> Iterator[str]:
        return (one.name for one in self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def step(self, name: str) -> NetworkStep:
        """Find a step by its name; raise `KeyError` if it does not exist."""
        try:
            own = self.opened.engine.step_name(name)
        except UnknownNameError:
            raise KeyError(name) from None
        return next((one for one in self.steps if one.name == own), None) or _missing(name)

    def layer(self, name: str) -> LayerMaps:
        """Return the output of a step, as maps of any kind of layer; raise `KeyError` if it is missing."""
        return LayerMaps(self, self.step(name).name)

    def activation(self, name: str) -> Floats:
        """Return the output of a step; compute it now if necessary."""
        if name in self.made:
            return self.made[name]
        return activations(self.opened.engine, self.picture.x, [name])[name].values

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes on the weights, if they were not simply taken by their names."""
        return self.opened.remarks

    def order_sentence(self, name: str) -> str:
        """Return which axis of a layer has the channels, in words; empty if it is the first."""
        if self.step(name).layout != "hwc":
            return ""
        return f"{name}: channels are the last axis, " + (
            "as declared" if self.opened.channels_last else "as the layers around it show"
        )

    @property
    def output_shape(self) -> Shape:
        """Shape of the output of the last step; empty if it is not known."""
        return self.steps[-1].output_shape or ()

    @property
    def parameters(self) -> int:
        """Number of all weights, biases and learnt scales."""
        return sum(one.parameters for one in self.steps)

    @property
    def macs(self) -> int:
        """MACs of all steps for which they are defined."""
        return sum(one.macs or 0 for one in self.steps)

    def prediction(self) -> list[tuple[str, float]]:
        """Name the classes of the greatest values of the last layer, by their numbers if they have no names.

        Returns
        -------
        list of (str, float)
            At most five classes with their values, the greatest first; empty if the network ends in anything
            but one value per class, if its weights are random, or if all values are the same.

        Raises
        ------
        SpecError
            If the number of names differs from the number of values.
        """
        classes, values = self._scored()
        if _are_the_same(values):
            return []
        best = np.argsort(-values, kind="stable")[:_BEST]
        return [(classes[index], float(values[index])) for index in best]

    def _scored(self) -> tuple[Sequence[str], Floats]:
        """Return the names and the values of all classes; none if the network does not end in such a row."""
        nothing = (), np.zeros(0, np.float32)
        classes: Sequence[str] = self.opened.classes
        if not classes:
            # A detector has names for its boxes, which do not predict a class for the whole picture.
            classes = self.opened.engine.classes
            if not classes and self._ends_in_scores:
                classes = [f"class {index}" for index in range(self.output_shape[0])]
            if self.output_shape != (len(classes),):
                return nothing
        values = self.activation(self.steps[-1].name)
        if values.ndim != 1:
            raise SpecError(
                f"classes: the last layer makes {shape_text(values.shape)}, no row of values; leave it out."
            )
        if values.shape != (len(classes),):
            raise SpecError(
                f"classes gives {plural(len(classes), 'name')} for {plural(values.size, 'value')}; "
                "give one per value."
            )
        return classes, values

    @property
    def _ends_in_scores(self) -> bool:
        """Whether the last step was computed, and makes a row of values that is not flattened maps."""
        last, shape = self.steps[-1], self.output_shape
        flattened = any(of is not None and len(of) > 1 and of[0] != shape[0] for of in last.input_shapes)
        seeded = self.opened.filled is not None and self.opened.filled.seeded
        whole = self.opened.until is None and last.name in self.made and not seeded
        return whole and len(shape) == 1 and shape[0] > 1 and not flattened

    def _classes(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the classes for each step that makes one value per class."""
        last = self.steps[-1]
        names: Sequence[str] = self.opened.classes or self.opened.engine.classes
        if not names and self._ends_in_scores:
            names = [str(index) for index in range(self.output_shape[0])]
        if self.output_shape != (len(names),):
            return {}
        same = (last.name, *(last.inputs if last.kind == "Softmax" else ()))
        return dict.fromkeys(same, tuple(names))

    def prediction_sentence(self) -> str:
        """Return the prediction in words; empty if the network makes none."""
        classes, values = self._scored()
        if not classes:
            return ""
        what = meaning(self.steps[-1], values)
        if _are_the_same(values):
            named = "probabilities" if what == "probability" else "scores"
            return f"no prediction: all {len(values):,} {named} are {number(float(values[0]), digits=3)}"
        (first, value), *others = self.prediction()
        start = f"prediction: {first} ({what} {number(value, digits=3)})"
        rest = ", ".join(f"{name} ({number(of, digits=3)})" for name, of in others)
        return f"{start}; then {rest}" if rest else f"prediction: {first}"

    def gradient(self, seen: Seen) -> Floats:
        """Compute how much every input value moves the maps of a layer at one position.

        Returns
        -------
        ndarray, shape (C, H, W), float32
            The gradient of the sum of all maps at that position.
        """
        return self.opened.engine.gradient(self.picture.x, seen.layer, seen.at)

    def sheet(
        self,
        *,
        only: str | None = None,
        seen: Seen | None = None,
        effective: bool = False,
        top: int | None = None,
        token: HW | None = None,
        **looks: Any,
    ) -> Sheet:
        """Lay out the input and a strip of maps per layer.

        Parameters
        ----------
        only : str, optional
            One layer to show in full.
        seen : Seen, optional
            The receptive field to draw beside the input.
        effective : bool
            Whether to draw its gradient over it.
        top : int, optional
            The number of maps of each layer to show, those with the most energy first.
        token : HW, optional
            For attention (heads, T, T), the place of the token whose row becomes a map for each head.
        **looks
            Fields of `SheetSettings`, as for `FeatureMaps.grid`; a tile of a strip, one of several layers,
            has `strips.TILE` pixels by default.

        Returns
        -------
        Sheet
            Not painted yet.
        """
        panel = None if seen is None else (*seen, self.gradient(seen) if effective else None)
        look = settings.SheetSettings.of(**looks)
        every = self.shown or [one for one in self.steps if one.kind != "Flatten"]
        steps = every if only is None else [self.step(only)]
        classes = self._classes()
        steps = [replace(one, classes=classes.get(one.name, ())) for one in steps]
        made = {one.name: self.activation(one.name) for one in steps}
        chosen = []
        if only is None and self.shown:
            chosen.append(self._chosen_rows())
            top = top or look.columns or strips.MOST
        if top is not None:
            chosen.append("maps: the strongest first (largest mean square)")
        told = ("; ".join(chosen), self.prediction_sentence())
        maps = {one.name: strips.as_maps(made[one.name], one.layout, token=token) for one in steps}
        order = None if top is None else {name: by_energy(of)[:top] for name, of in maps.items()}
        tiles: Sequence[int | None] = [look.tile_or(strips.TILE)]
        if only is not None:
            (of,) = maps.values()
            count = len(of) if top is None else min(top, len(of))
            tiles = [look.tile_or(scales.usual(count, HW(*of.shape[1:])))]
        elif tiles == [strips.TILE]:
            # A network may have many resolutions: keep the sheet small enough for a screen.
            tiles = strips.TILES
        return strips.draw(
            self.picture,
            (*self._heading(only), *filter(None, told)),
            steps,
            made=made,
            only=only,
            seen=panel,
            chosen=order,
            token=token,
            rows=self._rows(steps) if only is None else (),
            tiles=tiles,
            columns=look.columns,
            look=look,
        )

    def _chosen_rows(self) -> str:
        """Return which steps are on the sheet, in words."""
        if self.rows:
            first = next(at for at, one in enumerate(self.rows, start=1) if one.name == self.shown[0].name)
            last = first + len(self.shown) - 1
            return f"rows: layers {first} to {last} of {len(self.rows)}, in the order of computation"
        shown = {one.name for one in self.shown}
        drawn = [one for one in self._outputs if one.name in shown]
        end = "" if not drawn else ", and the output" if len(drawn) == 1 else ", and the outputs"
        left = [one for one in self._outputs if one.name not in shown]
        told = f"; outputs without a row, which --layer NAME shows: {_named(left)}" if left else ""
        return f"rows: the last step before each change of map size{end}{told}"

    @property
    def _outputs(self) -> list[NetworkStep]:
        """The outputs of the network: the last step, if the user chose that."""
        return output_steps(self.steps) if self.opened.until is None else list(self.steps[-1:])

    def _rows(self, steps: Sequence[NetworkStep]) -> list[tuple[int, tuple[int, ...]]]:
        """Return for each step of a sheet its number among all rows, and the numbers of the rows it reads."""
        rows = self.rows or steps
        found = dict(
            zip((one.name for one in rows), enumerate(rows_read(self.steps, rows), start=1), strict=True)
        )
        return [found[one.name] for one in steps]

    def _heading(self, only: str | None) -> tuple[str, str]:
        """Summarize the network in two lines."""
        title = self.title or self.opened.engine.title
        here = "" if only is None else f"; here {only}, {shape_text(self.activation(only).shape)}"
        ends = self._outputs
        made = _named(ends) if len(ends) > 1 else shape_text(self.output_shape)
        shapes = f"{shape_text(self.picture.shape)} -> {made}"
        return (
            f"{title}: {plural(len(self.steps), 'layer')}, {plural(self.parameters, 'parameter')}{here}",
            shapes,
        )

    def explore(self, path: str = "input.npy", **looks: Any) -> "Page":
        """Make an interactive page of the network, with a panel for each of its convolutions.

        A small network of convviz is computed in the browser, all its layers. Of any other network the page
        holds what arrives at the convolutions.

        Parameters
        ----------
        path : str
            The name of the input in the command on the page.
        **looks
            The initial colours for the values of maps: `colormap`, `limits` and `scale`, as for `sheet`.

        Returns
        -------
        Page
            It shows itself in a notebook, and has ``save(path)``.

        Raises
        ------
        SpecError
            If the network is too large for a page.
        """
        return self.page(path, looks=settings.PageSettings.of(**looks))

    def page(
        self,
        path: str,
        *,
        only: str | None = None,
        program: "OwnProgram | None" = None,
        code: str = "# this network was made in Python: no file holds it",
        **chosen: Any,
    ) -> "Page":
        """Make the page of `explore`.

        Parameters
        ----------
        path : str
            The name of the input in the command on the page.
        only : str, optional
            The only convolution to put into the page.
        program : OwnProgram, optional
            What the program of a network of convviz needs besides its layers.
        code : str
            The program of another network.
        **chosen
            As for `convviz.page.page.network_page`: command, reading, read_as, others, looks.
        """
        from convviz.page.page import has_room, network_page
        from convviz.page.stored import OwnProgram, Told, stored_page
        from convviz.results.pages import Page, largest, stored_network

        program = program or OwnProgram(origin=_IN_PYTHON)
        filled = self.opened.filled
        if filled is not None and only is None and has_room(filled.steps):
            text = network_page(
                path,
                self.picture,
                filled.network,
                steps=filled.steps,
                parameters=filled.weights,
                origin=program.origin,
                program=program.parts,
                **chosen,
            )
            return Page(text)
        found = stored_network(self.opened, self.picture, self.steps, only=only)
        best: list[tuple[str, float]] = []
        if found.last is not None:
            made = {**self.made, self.steps[-1].name: found.last}
            best = replace(self, made=made).prediction() or largest(found.last)
        told = Told(self.opened.engine.name, self.opened.engine.runner, best, code)
        if filled is not None:
            program = program._replace(steps=filled.steps, classes=filled.network.classes)
        text = stored_page(path, found.stored, found.chain, told=told, program=program, **chosen)
        return Page(
            text, remarks=tuple(found.stored.words if any(found.stored.errors) else found.stored.missing)
        )

    def arrays(self) -> dict[str, Floats]:
        """Gather the arrays for `save`: the input, and the computed outputs."""
        return {"input": self.picture.x, **self.made}

    def save(self, path: str | Path, *, force: bool = False, only: str | None = None) -> None:
        """Write the sheet (.png, .svg, .pdf, .webp, .jpg) or the exact numbers (.npz, .safetensors).

        Parameters
        ----------
        path : str or Path
            The file to write; its ending sets the format.
        force : bool
            Replace a file that convviz did not write.
        only : str, optional
            One layer to show on the sheet.

        Raises
        ------
        OutputError
            If the file cannot be written, or exists and was not written by convviz.
        """
        outputs.save_answer(
            Path(path),
            lambda: self.sheet(only=only),
            self.arrays,
            description=self.description(),
            force=force,
        )

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the run for the metadata of a file: version and settings."""
        return {"version": __version__, **settings.as_text(*chosen)}

    def _repr_png_(self) -> bytes:
        """Show the sheet in a notebook."""
        return outputs.as_png(self.sheet().image())


def _are_the_same(values: Floats) -> bool:
    """Return whether several values are all equal, or all NaN."""
    return values.size > 1 and bool((values == values[0]).all() or np.isnan(values).all())


def _missing(name: str) -> NetworkStep:
    """Refuse the unknown name of a layer, as a mapping does."""
    raise KeyError(name)


def _named(steps: Sequence[NetworkStep]) -> str:
    """Name steps with their shapes; only the first ones if there are many.

    Examples
    --------
    >>> _named([NetworkStep("head", "Linear", (), (10,)), NetworkStep("up", "Upsample", (), (8, 28, 28))])
    'head 10, up 8x28x28'
    """
    shown = ", ".join(f"{one.name} {shape_text(one.output_shape or ())}" for one in steps[:_NAMED])
    return shown + (f" … ({len(steps)} in all)" if len(steps) > _NAMED else "")
