"""Nets on the command line: which one, with which numbers, and what `run` makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convviz import __version__
from convviz.cli.console import answer, answer_json, answer_path, remark
from convviz.cli.options import OPTIONS
from convviz.cli.reading import input_document, input_files, read_input
from convviz.cli.writing import announce, tell_replaced
from convviz.compute import backends
from convviz.compute.networks import filling, stack
from convviz.compute.networks.graphs import network_of_graph
from convviz.compute.survey import by_energy, summed_up
from convviz.errors import SpecError, UnknownNameError
from convviz.files import archives, marks, npy, writing
from convviz.files.checkpoints import Checkpoint, read_checkpoint
from convviz.render.palette import colours
from convviz.render.sheets import receptive_field, strips
from convviz.render.sheets.layout import Sheet
from convviz.render.words import tables
from convviz.results import outputs
from convviz.spec import reach
from convviz.spec.geometry import HW, check_inside
from convviz.spec.layers import Shape, shape_text
from convviz.spec.network import Network, SizedStep
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings, as_text
from convviz.spec.stacks import find_network, parse_layers
from convviz.text import number
from convviz.typing import Floats

# The most values of a row with names that are printed.
_BEST = 5


@dataclass(frozen=True, slots=True)
class ChosenNet:
    """What the options of a network ask for.

    Parameters
    ----------
    layers : str, optional
        A stack as text.
    name : str, optional
        The name of a network, or a file .toml or .onnx.
    until : str, optional
        The last layer.
    weights : Path, optional
        A file of trained weights.
    seed : int
        Seed of the weights otherwise.
    """

    layers: str | None = None
    name: str | None = None
    until: str | None = None
    weights: Path | None = None
    seed: int = 0

    @classmethod
    def of(
        cls, layers: str | None, name: str | None, until: str | None, *, layer: LayerSettings
    ) -> "ChosenNet":
        """Take the options of a network.

        Raises
        ------
        SpecError
            If a layer is described too.
        """
        own = replace(layer, seed=0, weights=None, layer_name=None)
        if (layers is not None and name is not None) or own != LayerSettings():
            raise SpecError(
                "layers, net: give one of them, and of the options of a layer --seed or --weights alone."
            )
        return cls(layers, name, until, layer.weights, layer.seed)

    @property
    def files(self) -> list[Path]:
        """What is read, and so never replaced."""
        named = self.name is not None and Path(self.name).suffix.lower() in (".toml", ".onnx")
        found = [Path(self.name)] if named and self.name is not None else []
        return found if self.weights is None else [*found, self.weights]

    def described(self) -> dict[str, str]:
        """Return the options for the metadata of a picture."""
        chosen = {
            "layers": self.layers,
            "net": self.name,
            "until": self.until,
            "weights": None if self.weights is None else str(self.weights),
            "seed": str(self.seed) if self.seed else None,
        }
        return {key: value for key, value in chosen.items() if value is not None}


@dataclass(slots=True)
class Source:
    """A network before its input is known, with the file of its weights."""

    chosen: ChosenNet
    net: Network | None
    checkpoint: Checkpoint | None
    # Before layers were left out: the file has numbers for those too.
    whole: Network | None = None

    @classmethod
    def of(cls, chosen: ChosenNet) -> "Source":
        """Read what can be read before the picture.

        Raises
        ------
        SpecError, TextError, UnknownNameError, InputError
            If the network or its weights cannot be.
        """
        graph = chosen.name if chosen.name is not None and chosen.name.lower().endswith(".onnx") else None
        if graph is None and chosen.layers is None and chosen.name is None:
            if chosen.weights is None or chosen.weights.suffix.lower() != ".onnx":
                raise SpecError("until: goes with --layers, --net or --weights FILE.onnx.")
            graph = str(chosen.weights)
        if graph is not None:
            if chosen.weights not in (None, Path(graph)):
                raise SpecError("weights: a network in ONNX has its own; leave out --weights.")
            return cls(chosen, None, read_checkpoint(Path(graph)))
        net = parse_layers(chosen.layers) if chosen.layers is not None else find_network(chosen.name or "")
        kept = net if chosen.until is None else net.until(chosen.until)
        return cls(chosen, kept, None if chosen.weights is None else read_checkpoint(chosen.weights), net)

    @property
    def origin(self) -> str:
        """The line of Python that says where the numbers come from."""
        if self.checkpoint is None:
            return f"torch.manual_seed({self.chosen.seed})"
        return f"# then load the numbers of {self.checkpoint.name}"

    def reading(self, settings: InputSettings) -> tuple[InputSettings, tuple[str, ...]]:
        """Read the picture as the network asks for, where the user did not say otherwise; and say so."""
        if self.net is None:
            return settings, ()
        default = InputSettings()
        taken = []
        for name, text in self.net.reading.items():
            if name not in asdict(default) or name == "max_pixels":
                raise UnknownNameError("option of [input]", name, list(asdict(default)))
            if getattr(settings, name) == getattr(default, name):
                try:
                    settings = replace(settings, **{name: OPTIONS[name].parser(text)})
                except (SpecError, UnknownNameError) as error:
                    raise SpecError(f"[input]: {error}") from None
                taken.append(f"{name} {text}")
        return settings, (f"the network asks for {', '.join(taken)}",) if taken else ()

    def fill(self, shape: Shape) -> tuple[Network, list[SizedStep], dict[str, Any], tuple[str, ...]]:
        """Build every layer for an input, with its numbers and remarks on those."""
        if self.net is None:
            assert self.checkpoint is not None
            net, parameters = network_of_graph(self.checkpoint, shape, until=self.chosen.until)
            steps = net.sized(shape)
            finite = {
                name: {
                    key: npy.finite(value, f"{self.checkpoint.name}, the {key} of {name!r}")
                    for key, value in held.items()
                }
                for name, held in parameters.items()
            }
            return replace(net, name=self.checkpoint.name.strip("'")), steps, finite, ()
        steps = self.net.sized(shape)
        if self.checkpoint is None:
            parameters = filling.seeded(steps, self.chosen.seed)
            told = f"no --weights, so the weights are those of a new network (seed {self.chosen.seed})"
            # Such a network has learnt nothing that it could predict.
            return replace(self.net, classes=()), steps, parameters, (told,) if parameters else ()
        assert self.whole is not None
        parameters, remarks = filling.stored(steps, self.checkpoint, names=self.whole.with_parameters)
        return self.net, steps, parameters, remarks


def run_network(
    input: Sequence[str],
    target: Path | writing.Stream,
    chosen: ChosenNet,
    *,
    only: str | None,
    at: HW | None,
    effective: bool,
    top: int | None,
    drawn: Mapping[str, str],
    stats: Sequence[str],
    reading: InputSettings,
    compute: ComputeSettings,
    picture: SheetSettings,
    save: Path | writing.Stream | None,
    json: bool,
    force: bool,
    quiet: bool,
) -> Sheet:
    """Compute several layers and draw a strip for each; the parameters are those of ``convviz run``.

    `drawn` tells those of them, for the metadata, that change nothing but the picture.
    """
    colours(picture.colormap)
    if save is not None and save.suffix.lower() not in archives.ARCHIVES:
        raise SpecError(
            f"save: of a network, the name ends in {', '.join(archives.ARCHIVES)}, not {save.suffix!r}."
        )
    inputs = [*input_files(input), *chosen.files]
    for written_to in (target, *([save] if save else [])):
        writing.check_path(written_to, force=force, is_ours=marks.is_ours, inputs=inputs)
    source = Source.of(chosen)
    if only is not None and source.net is not None:
        _check_layer(only, [step.name for step in source.net.steps])
    read_as, asked = source.reading(reading)
    image = read_input(input, read_as)
    net, steps, parameters, remarks = source.fill(image.shape)
    if only is not None:
        _check_layer(only, [one.name for one in steps])
    seen = None if at is None else _seen(steps, only, at)
    made = stack.run_network(net, image.x, parameters, backend=compute.backend, device=compute.device)
    predicted = _prediction(net, made[steps[-1].name])
    told = _sentence(predicted)
    gradient = None
    if effective and seen is not None:
        gradient = backends.load_torch_networks().gradient(
            steps, image.x, parameters, name=seen[0], at=seen[1]
        )

    looks = asdict(picture)
    if only is None and picture.tile == SheetSettings().tile:
        looks["tile"] = strips.TILE
    sheet = strips.draw(
        image,
        chosen.layers or net.name,
        steps,
        made=made,
        only=only,
        seen=None if seen is None else (*seen, gradient),
        top=top,
        said=told,
        **looks,
    )
    description: dict[str, Any] = {
        "version": __version__,
        **chosen.described(),
        **({"layer-name": only} if only is not None else {}),
        **as_text(reading, picture),
        **drawn,
    }
    announce(sheet, force=force, quiet=quiet)
    tell_replaced(target, description, quiet=quiet)
    outputs.write_sheet(sheet, target, description, force=force, inputs=inputs)
    written = [target]
    if save is not None:
        outputs.save_arrays({"input": image.x, **made}, save, description, force=force, inputs=inputs)
        written.append(save)
    rows = [_numbers(made[one.name], stats) for one in steps]
    maps: list[tuple[Any, ...]] = []
    if only is not None:
        channels = strips.as_maps(made[only])
        order = range(len(channels)) if top is None else by_energy(channels)[:top]
        maps = [(index, f"{only}: {index}", *_numbers(channels[index], stats)) for index in order]
    if not quiet:
        for text in (*asked, *image.remarks, *remarks):
            remark(text)
    if json:
        names = ("min", "max", "mean", "std", *stats)
        document = {
            "input": input_document(input, image, read_as),
            "output_shape": list(steps[-1].output_shape),
            "parameters": sum(one.layer.parameters for one in steps),
            "macs": sum(one.macs for one in steps),
            "layers": [
                {"name": one.name, "layer": repr(one.layer), "output_shape": list(one.output_shape)}
                | dict(zip(names, row, strict=True))
                for one, row in zip(steps, rows, strict=True)
            ],
            "files": [str(path) for path in written],
        }
        if only is not None:
            document["maps"] = [
                {"index": row[0], "name": row[1]} | dict(zip(names, row[2:], strict=True)) for row in maps
            ]
        if predicted:
            document["prediction"] = [{"class": name, "value": value} for name, value in predicted]
        if seen is not None:
            name, place, box = seen
            document["field"] = {"layer": name, "at": list(place), **asdict(box)}
        answer_json(document)
        return sheet
    if not quiet:
        screen = tables.console()
        if only is None:
            screen.print(_table(steps, rows, screen.width, stats=stats))
        else:
            screen.print(tables.statistics(maps, width=screen.width, more=stats))
        answer()
        words = ["" if seen is None else receptive_field.sentence(*seen, size=image.size), told]
        for line in filter(None, words):
            answer(line)
        if any(words):
            answer()
    for path in written:
        answer_path(path, quiet=quiet)
    return sheet


def _table(
    steps: Sequence[SizedStep], rows: Sequence[Sequence[float]], width: int, *, stats: Sequence[str]
) -> Any:
    """Tabulate what the layers make, with their types and shapes where there is room."""
    cells = {
        "layer": [one.name for one in steps],
        "type": [type(one.layer).__name__ for one in steps],
        "shape": [shape_text(one.output_shape) for one in steps],
    }
    words = [name for name, least in (("layer", 0), ("type", 100), ("shape", 80)) if width >= least]
    table = [(index, *(cells[name][index] for name in words), *row) for index, row in enumerate(rows)]
    found = tables.statistics(table, width=width, more=stats, words=words)
    tables.leave_out(found, [name for name in cells if name not in words])
    return found


def _check_layer(name: str, known: Sequence[str]) -> None:
    """Refuse a layer that the network does not have."""
    if name not in known:
        raise UnknownNameError("layer", name, known)


def _seen(steps: Sequence[SizedStep], only: str | None, at: HW) -> tuple[str, HW, reach.Box]:
    """Find what a value sees: of the chosen layer, or of the last one whose values have a place."""
    having = [one for one in steps if one.height is not None and len(one.output_shape) == 3]
    found = next((one for one in having if one.name == only), having[-1] if only is None and having else None)
    if found is None or found.height is None or found.width is None:
        raise SpecError(
            f"field: every value of {only!r} sees the whole input; choose a layer before with --layer."
            if only is not None
            else "field: every value of this network sees the whole input."
        )
    check_inside("field", at, HW(*found.output_shape[1:]), what=f"the maps of {found.name}")
    return found.name, at, reach.Box.of(found.height, found.width, at)


def _numbers(values: Floats, stats: Sequence[str]) -> list[float]:
    """Sum up what one layer makes."""
    measures = {
        "sparsity": lambda: float(np.mean(values == 0)),
        "energy": lambda: float(np.mean(np.square(values, dtype=np.float64))),
    }
    found = summed_up(values)
    return [found.low, found.high, found.mean, found.std, *(measures[name]() for name in stats)]


def _prediction(net: Network, values: Floats) -> list[tuple[str, float]]:
    """Name the greatest values of the last layer, where the network says what they stand for."""
    if not net.classes:
        return []
    if values.shape != (len(net.classes),):
        raise SpecError(
            f"classes gives {len(net.classes)} names for {values.size} values; give one per value."
        )
    best = np.argsort(-values, kind="stable")[:_BEST]
    return [(net.classes[index], float(values[index])) for index in best]


def _sentence(predicted: Sequence[tuple[str, float]]) -> str:
    """Describe a prediction."""
    if not predicted:
        return ""
    (first, value), *others = predicted
    rest = ", ".join(f"{name} ({number(of, digits=3)})" for name, of in others)
    return f"prediction: {first} ({number(value, digits=3)}); then {rest}" if rest else f"prediction: {first}"
