#!/usr/bin/env bash
# Fetches the sample assets: the libraries of Debian's package sweethome3d-furniture (820 models, CC0 and CC-BY).
# Uses the system's package client without root: it keeps its lists and downloads in a folder of its own.
#
#   workflows/fetch_samples.sh [FOLDER]      default: .cache/samples; a second run does nothing
set -euo pipefail

package=sweethome3d-furniture
library=BlendSwap-CC-0.sh3f
folder=${1:-$(dirname "$0")/../.cache/samples}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

fail() {
    printf 'The sample assets could not be fetched: %s\n' "$1" >&2
    printf 'Cure: %s\n' "$2" >&2
    printf 'Or download the package %s (Debian, section "main") elsewhere, put its .deb file into\n%s\nand give the same command again.\n' \
        "$package" "$folder" >&2
    exit 1
}

if [ -f "$folder/$library" ]; then
    echo "Sample assets: $folder is complete"
    exit 0
fi

# The client of the system, with the system's sources and keys but folders of our own.
apt=$folder/.apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
cat >"$apt/apt.conf" <<CONF
Dir::State::lists "$apt/lists";
Dir::Cache "$apt";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::Contents-deb;
CONF

deb=$(find "$folder" -maxdepth 1 -name "${package}_*.deb" -print -quit)
if [ -z "$deb" ]; then
    echo "Sample assets: reading the package lists"
    apt-get -c "$apt/apt.conf" -qq update >"$apt/log" 2>&1 ||
        fail "$(tail -n 3 "$apt/log")" "check the network and the sources in /etc/apt/"
    apt-cache -c "$apt/apt.conf" policy "$package" 2>>"$apt/log" | grep 'Candidate: [0-9]' >>"$apt/log" ||
        fail "the package client knows no package $package $(grep -m 1 '^[WE]:' "$apt/log" || true)" \
            "check the network; /etc/apt/sources.list.d/ must name Debian's section 'main' or Ubuntu's 'universe'"
    echo "Sample assets: downloading the package $package (120 MB)"
    (cd "$folder" && apt-get -c "$apt/apt.conf" -qq download "$package") >>"$apt/log" 2>&1 ||
        fail "$(tail -n 3 "$apt/log")" "check the network and the disk space, then try again"
    deb=$(find "$folder" -maxdepth 1 -name "${package}_*.deb" -print -quit)
fi

echo "Sample assets: unpacking $(basename "$deb")"
unpacked=$(mktemp -d "$folder/.unpacked-XXXX")
trap 'rm -rf "$unpacked"' EXIT
if ! dpkg-deb -x "$deb" "$unpacked" || [ ! -f "$unpacked/usr/share/sweethome3d/furniture/$library" ]; then
    fail "$(basename "$deb") is damaged or holds no $library" "delete $deb"
fi
mv "$unpacked/usr/share/doc/$package/copyright" "$folder/"
# The library that says that all is complete comes last.
find "$unpacked/usr/share/sweethome3d/furniture" -name '*.sh3f' ! -name "$library" -exec mv {} "$folder/" \;
mv "$unpacked/usr/share/sweethome3d/furniture/$library" "$folder/"
rm -rf "$deb" "$apt"
echo "Sample assets: $(find "$folder" -name '*.sh3f' | wc -l) libraries in $folder"
