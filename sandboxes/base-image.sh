#!/usr/bin/env bash
# Writes the root file system of a sandbox image to stdout, as a tar: the installed files of a few
# Debian packages and all that they depend on. Needs no image registry. Progress goes to stderr.
set -euo pipefail
exec 3>&1 1>&2  # what the commands below say is progress
umask 022       # the modes of the image are not a matter of who builds it
packages="bash dash coreutils python3 git grep sed mawk tar gzip findutils procps diffutils patch
  base-files base-passwd debianutils util-linux libc-bin ca-certificates"

missing=""
for name in $packages; do
  dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing="$missing $name"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "sudo apt-get install$missing"
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing \
    || { apt-get update && apt-get install -y --no-install-recommends $missing; }
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "collecting packages"
apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks \
  --no-replaces --no-enhances $packages | grep -E '^[a-z0-9]' | sort -u >"$work/packages"
{
  # dpkg lists /bin/x where /bin is a link to usr/bin; a path twice is refused by the import.
  { xargs dpkg -L <"$work/packages" 2>/dev/null || true; } | grep -E '^/' \
    | grep -vE '^/\.$|^/usr/share/(doc|man|locale|info|lintian|bash-completion)(/|$)' \
    | grep -vE '^/(boot|proc|sys|dev|run|tmp)(/|$)' \
    | sed -E 's,^/(bin|sbin|lib|lib64|lib32|libx32)(/|$),/usr/\1\2,' | tee "$work/installed"
  # awk and such are links, by way of a choice of the machine's, to one of these.
  find /usr/bin -lname '/etc/alternatives/*' -printf '%p %l\n' | while read -r link choice; do
    if grep -qxF "$(readlink -f "$link")" "$work/installed"; then printf '%s\n' "$link" "$choice"; fi
  done
  printf '%s\n' /etc/ld.so.cache /etc/ssl/certs/ca-certificates.crt /bin /sbin /lib /lib64
} | sort -u | while read -r path; do
  # What an ordinary user may not read, such as /etc/ssl/private, is not for tools either.
  if [ -r "$path" ] || [ -L "$path" ]; then printf '.%s\n' "$path"; fi
done >"$work/files"

root=$work/root
mkdir -p "$root"/{etc,tmp,proc,sys,dev,run,root,workspace,outputs}
chmod 1777 "$root/tmp" "$root/workspace"
# The machine's accounts and settings stay out: the image gets the two lines that it needs.
printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
echo "copying files"
tar --no-recursion -C / -cf - --exclude=./etc/passwd --exclude=./etc/group --exclude=./etc/shadow \
  --exclude=./etc/hostname --exclude=./etc/apt -T "$work/files" | tar -C "$root" -xpf -
tar -C "$root" --owner=0 --group=0 --numeric-owner -cf - . >&3
