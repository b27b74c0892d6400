"""Few-shot episodes and the linear probe: what frozen features are worth with a few labels, or with all of them."""

import numpy as np
import torch
from torch import nn

EPISODES = 100
QUERIES = 15  # per class and episode, at most


def few_shot_accuracies(
    features: np.ndarray, labels: np.ndarray, ways: int, shots: int, episodes: int = EPISODES, seed: int = 0
) -> np.ndarray:
    """Accuracy of every episode, [episodes]; empty where fewer than `ways` classes have more than `shots` objects.

    An episode draws `ways` classes and `shots` objects of each; up to 15 others of each class go to the class whose
    drawn objects' mean direction is nearest.

    Args:
        features: [N, D] unit vectors.
        labels: [N] class numbers.
    """
    members = {label: np.flatnonzero(labels == label) for label in np.unique(labels)}
    usable = [label for label, indices in members.items() if len(indices) > shots]
    if len(usable) < ways:
        return np.zeros(0)
    rng = np.random.default_rng(seed)
    return np.array([_episode(features, members, rng.choice(usable, ways, replace=False), shots, rng)
                     for _ in range(episodes)])  # fmt: skip


def _episode(
    features: np.ndarray, members: dict[int, np.ndarray], classes: np.ndarray, shots: int, rng: np.random.Generator
) -> float:
    prototypes, queries, answers = [], [], []
    for answer, label in enumerate(classes):
        drawn = rng.permutation(members[label])[: shots + QUERIES]
        mean = features[drawn[:shots]].mean(axis=0)
        prototypes.append(mean / np.linalg.norm(mean))
        queries.append(features[drawn[shots:]])
        answers += [answer] * (len(drawn) - shots)
    similarity = np.concatenate(queries) @ np.stack(prototypes).T
    return float((similarity.argmax(axis=1) == answers).mean())


def linear_probe_hits(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray, penalty: float = 1e-3
) -> np.ndarray:
    """Whether a linear classifier trained on frozen features is right, [N_test].

    Logistic regression with an L2 penalty, minimised by L-BFGS in float64 from zero: the same at every call.

    Args:
        train, test: [N, D] unit vectors; labels: [N] class numbers from 0.
    """
    classes = int(max(train_labels.max(), test_labels.max())) + 1
    inputs, targets = torch.from_numpy(train).double(), torch.from_numpy(train_labels)
    weight = torch.zeros(classes, train.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(nn.functional.linear(inputs, weight[:, :-1], weight[:, -1]), targets)
        loss = loss + penalty * weight[:, :-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        logits = nn.functional.linear(torch.from_numpy(test).double(), weight[:, :-1], weight[:, -1])
    hits: np.ndarray = logits.argmax(dim=1).numpy() == test_labels
    return hits.astype(float)
