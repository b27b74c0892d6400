"""Tiny vision-language models of real architectures that say one known sentence.

The layers that mix tokens (attention, feed-forward) add nothing, so the last token alone decides what the head sees;
the head's weights are then set so that each word calls for the next one of the sentence. Pictures go the whole way
through processor, vision tower and connector.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from pipeline.compat.torchvision_shim import prepare_torchvision

prepare_torchvision()

import tokenizers  # noqa: E402
import transformers  # noqa: E402

_SENTENCES = """
a small wooden chair with four legs and red seat
the image shows a table lamp made of metal
i cannot tell what this is
a 3d model of
describe the object your last answer
"""
WORDS = list(dict.fromkeys(_SENTENCES.split()))
SENTENCE = "a small wooden chair with four legs and red seat"

CHAT_TEMPLATE = (
    "{% for message in messages %}user : {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE {% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}assistant{% endif %}"
)


def word_tokenizer(special: list[str], **kwargs) -> transformers.PreTrainedTokenizerFast:
    """One token a word; unknown words are [UNK]."""
    words = ["[UNK]", "[PAD]", "[EOS]", "[BOS]", *special, "user", ":", "assistant", *WORDS]
    words = list(dict.fromkeys(words))
    core = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    core.normalizer = tokenizers.normalizers.Lowercase()
    core.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core,
        unk_token="[UNK]",
        pad_token="[PAD]",
        eos_token="[EOS]",
        bos_token="[BOS]",
        additional_special_tokens=special,
        **kwargs,
    )


@torch.no_grad()
def teach(model: nn.Module, head: nn.Linear, mixers: list[nn.Linear], follow: list[int], last_state: Callable) -> None:
    """Make the head answer `follow[i]` with `follow[i + 1]`."""
    for linear in mixers:
        linear.weight.zero_()
        if linear.bias is not None:
            linear.bias.zero_()
    head.weight.normal_(0, 1e-3)
    for token, following in zip(follow, follow[1:], strict=False):
        state = last_state(token)
        head.weight[following] += state / state.norm()


def captured(head: nn.Linear, forward: Callable[[], object]) -> torch.Tensor:
    """What the head is given for the last token during `forward`."""
    states = []
    hook = head.register_forward_pre_hook(lambda module, inputs: states.append(inputs[0]))
    forward()
    hook.remove()
    return states[0][0, -1]


def save_smolvlm(folder: Path, sentence: str = SENTENCE, pixels: int = 32, scale_factor: int = 2, **vision: int) -> str:
    """`pixels` a side go into the vision tower; `vision` overrides its config."""
    tower = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": pixels,
        "patch_size": 8,
    } | vision
    longest = {"longest_edge": pixels}
    special = ["<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>", "<video>"]
    tokenizer = word_tokenizer(special)
    processor = transformers.SmolVLMProcessor(
        transformers.SmolVLMImageProcessor(size=longest, max_image_size=longest, do_image_splitting=False),
        tokenizer,
        transformers.SmolVLMVideoProcessor(size=longest, max_image_size=longest),
        image_seq_len=(pixels // tower["patch_size"] // scale_factor) ** 2,
        chat_template=CHAT_TEMPLATE.replace("IMAGE", "<image>"),
    )
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    config = transformers.SmolVLMConfig(
        vision_config=tower,
        text_config=dict(
            model_type="llama",
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=False,
            **ids,
        ),
        scale_factor=scale_factor,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    model = transformers.SmolVLMForConditionalGeneration(config).eval()
    mixers = [m for layer in model.model.text_model.layers for m in (layer.self_attn.o_proj, layer.mlp.down_proj)]
    return _save_chat(folder, model, processor, mixers, sentence)


def save_qwen2_5_vl(folder: Path, sentence: str = SENTENCE) -> str:
    special = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    tokenizer = word_tokenizer(special)
    pixels = {"shortest_edge": 28 * 28, "longest_edge": 56 * 56}
    processor = transformers.Qwen2_5_VLProcessor(
        transformers.Qwen2VLImageProcessor(size=pixels),
        tokenizer,
        transformers.Qwen2VLVideoProcessor(size=pixels),
        chat_template=CHAT_TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>"),
    )
    to_id = tokenizer.convert_tokens_to_ids
    config = transformers.Qwen2_5_VLConfig(
        vision_config={
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 64,
            "fullatt_block_indexes": [0],
        },
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4},
            "tie_word_embeddings": False,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": None,
        },
        image_token_id=to_id("<|image_pad|>"),
        video_token_id=to_id("<|video_pad|>"),
        vision_start_token_id=to_id("<|vision_start|>"),
        vision_end_token_id=to_id("<|vision_end|>"),
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    model = transformers.Qwen2_5_VLForConditionalGeneration(config).eval()
    mixers = [m for layer in model.model.language_model.layers for m in (layer.self_attn.o_proj, layer.mlp.down_proj)]
    return _save_chat(folder, model, processor, mixers, sentence)


def _save_chat(folder: Path, model, processor, mixers: list[nn.Linear], sentence: str) -> str:
    tokenizer = processor.tokenizer
    follow = [tokenizer.convert_tokens_to_ids(word) for word in ["assistant", *sentence.split(), "[EOS]"]]

    def last_state(token: int) -> torch.Tensor:
        return captured(model.lm_head, lambda: model(input_ids=torch.tensor([[token]])))

    teach(model, model.lm_head, mixers, follow, last_state)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def save_blip(folder: Path, sentence: str = SENTENCE) -> str:
    """BLIP has no chat template: it goes on after `prefix-v1`, whose last word is "of"."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *dict.fromkeys(WORDS)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"), additional_special_tokens=["[DEC]"])
    processor = transformers.BlipProcessor(transformers.BlipImageProcessor(size={"height": 32, "width": 32}), tokenizer)
    ids = {"bos_token_id": words.index("[DEC]"), "sep_token_id": words.index("[SEP]"), "pad_token_id": 0}
    config = transformers.BlipConfig(
        text_config=dict(
            vocab_size=len(words),
            hidden_size=64,
            encoder_hidden_size=32,
            intermediate_size=64,
            projection_dim=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=64,
            is_decoder=True,
            eos_token_id=words.index("[SEP]"),
            tie_word_embeddings=False,
            **ids,
        ),
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
        },
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    model = transformers.BlipForConditionalGeneration(config).eval()
    decoder = model.text_decoder
    layers = decoder.bert.encoder.layer
    mixers = [m for la in layers for m in (la.attention.output.dense, la.crossattention.output.dense, la.output.dense)]
    with torch.no_grad():
        decoder.bert.embeddings.position_embeddings.weight.zero_()
    head = decoder.cls.predictions.decoder
    follow = [words.index(word) for word in ["of", *sentence.split(), "[SEP]"]]
    picture = torch.zeros(1, 5, 32)

    def last_state(token: int) -> torch.Tensor:
        return captured(head, lambda: decoder(input_ids=torch.tensor([[token]]), encoder_hidden_states=picture))

    teach(model, head, mixers, follow, last_state)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


SAVERS = {"blip": save_blip, "smolvlm": save_smolvlm, "qwen2_5_vl": save_qwen2_5_vl}
