"""Any image-text-to-text model of transformers, by name or folder, on this machine."""

import logging
from pathlib import Path
from typing import Any

import torch

from caption.captioners.modes import vision_captioner
from caption.captioners.questions import Question, Reply
from caption.captioners.vision import VisionCaptioner
from caption.config import CaptionConfig
from caption.weights import weights_hash
from pipeline.base.errors import ConfigError
from pipeline.compat.torchvision_shim import prepare_torchvision
from pipeline.values.pictures import over_background

logger = logging.getLogger(__name__)


def load(config: CaptionConfig, threads: int) -> VisionCaptioner:
    """Captioner by a model on this machine, which also merges captions of single views."""
    torch.set_num_threads(threads)
    model = TransformersModel(config)
    return vision_captioner(config, model, model, threads)


class TransformersModel:
    """A model that answers questions about pictures, greedily.

    A model with a chat template (Qwen-VL, SmolVLM, LLaVA, Idefics3) is asked in its own format and sees several
    pictures per question. One without (BLIP, Florence-2) continues the prompt's text and sees one picture.
    """

    def __init__(self, config: CaptionConfig):
        """Load the model: in bfloat16 on a GPU, else in float32 on the CPU. No code of the model's repository is run.

        Raises:
            ConfigError: the model, its revision or its processor cannot be loaded.
        """
        if not config.model:
            raise ConfigError("caption.model is empty: name an image-text-to-text model or a folder that holds one")
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model, self._processor = _load(config, torch.bfloat16 if self._device == "cuda" else torch.float32)
        self._model.to(self._device)
        self._max_new_tokens = config.max_new_tokens
        self.batch_size = config.batch_size
        self.is_chat = bool(getattr(self._processor, "chat_template", None))
        if self.is_chat:
            self._processor.tokenizer.padding_side = "left"  # answers of a batch begin at one position
        self._stops = _stop_tokens(self._model, self._processor.tokenizer)
        self.source = f"vlm:{self._name_and_revision(config)}"
        logger.info("captioner %s on %s, %s", self.source, self._device, "chat" if self.is_chat else "plain prompt")

    def answer(self, questions: list[Question]) -> list[Reply | Exception]:
        """The model's reply to every question, all in one batch; each has pictures, or none has."""
        texts = [self._prompt(question) for question in questions]
        pictures = [[over_background(image) for image in question.images] for question in questions]
        given: dict[str, Any] = {}
        if questions[0].images:
            given["images"] = pictures if self.is_chat else [images[0] for images in pictures]
        inputs = self._processor(text=texts, **given, padding=True, return_tensors="pt")
        asked = inputs["input_ids"]
        with torch.inference_mode():
            tokens = self._model.generate(
                **inputs.to(self._device, self._model.dtype),
                max_new_tokens=self._max_new_tokens,
                do_sample=False,
                num_beams=1,
            ).cpu()
        if self.is_chat and torch.equal(tokens[:, : asked.shape[1]], asked):
            tokens = tokens[:, asked.shape[1] :]  # decoders repeat the question
        answers = self._processor.batch_decode(tokens, skip_special_tokens=True)
        if not self.is_chat:
            answers = [_without_prompt(answer, text) for answer, text in zip(answers, texts, strict=True)]
        return [
            Reply(answer, last in self._stops) for answer, last in zip(answers, tokens[:, -1].tolist(), strict=True)
        ]

    def _prompt(self, question: Question) -> str:
        if not self.is_chat:
            return question.text
        content = [{"type": "image"} for _ in question.images] + [{"type": "text", "text": question.text}]
        conversation = [{"role": "user", "content": content}]
        prompt: str = self._processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        return prompt

    def _name_and_revision(self, config: CaptionConfig) -> str:
        """The hub's name and commit; of a folder its name, without the machine's path, and a hash of its weights."""
        if Path(config.model).is_dir():
            return f"{Path(config.model).resolve().name}@{weights_hash(self._model)}"
        return f"{config.model}@{getattr(self._model.config, '_commit_hash', None) or config.revision}"


def _stop_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Tokens that stand at the end of an answer that came to its end."""
    text = model.config.get_text_config()
    stops = [
        model.generation_config.eos_token_id,
        tokenizer.eos_token_id,
        tokenizer.pad_token_id,
        tokenizer.sep_token_id,
    ]
    stops += [getattr(text, name, None) for name in ("eos_token_id", "pad_token_id", "sep_token_id")]
    lists = [stop if isinstance(stop, list) else [stop] for stop in stops]
    return {token for tokens in lists for token in tokens if token is not None}


def _without_prompt(answer: str, prompt: str) -> str:
    """The answer of a model that continues its prompt and may repeat it, in its tokenizer's own spelling."""
    words, asked = answer.split(), prompt.split()
    repeats = [word.lower() for word in words[: len(asked)]] == [word.lower() for word in asked]
    return " ".join(words[len(asked) :] if repeats else words)


def _load(config: CaptionConfig, dtype: torch.dtype) -> tuple[Any, Any]:
    """The model and its processor."""
    prepare_torchvision()
    from transformers import AutoModelForImageTextToText, AutoProcessor

    source = {
        "revision": config.revision,
        "trust_remote_code": False,
        "local_files_only": config.local_files_only or Path(config.model).is_dir(),
    }
    try:
        processor = AutoProcessor.from_pretrained(config.model, **source)  # type: ignore[no-untyped-call]  # has no types
        model: Any = AutoModelForImageTextToText.from_pretrained(config.model, dtype=dtype, **source)
    except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
        reason = " ".join(str(error).split())[:500]
        raise ConfigError(
            f"cannot load captioner {config.model!r} at revision {config.revision!r}: {reason}"
        ) from error
    return model.eval(), processor
