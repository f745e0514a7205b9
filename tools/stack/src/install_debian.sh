#!/bin/sh
# Installs the given packages on Debian or Ubuntu, as root, and changes nothing
# else: no additional service runs or starts at boot, and no PostgreSQL cluster
# is created. Temporary changes are reverted at the end, also after a failure or
# a signal. After SIGKILL the next run reverts them.
set -eu

policy=/usr/sbin/policy-rc.d
mark='# put here by cargo stack while it installs packages'
clusters=/etc/postgresql-common/createcluster.conf
saved=$clusters.before-cargo-stack
work=$(mktemp -d)

restore() {
    if grep -qsF "$mark" "$policy"; then rm -f "$policy"; fi
    if [ -e "$saved" ]; then mv -f "$saved" "$clusters"; fi
}
leave() {
    disable_new_units
    restore
    rm -rf "$work"
}

# Links of what starts at boot: those of systemd, which packages create even where
# systemd does not run, and those of System V.
boot_links() {
    find /etc/systemd/system -path '*.wants/*' -type l 2>/dev/null || true
    find /etc/rc?.d -name 'S*' -type l 2>/dev/null || true
}
running_units() {
    [ -d /run/systemd/system ] || return 0
    systemctl list-units --plain --no-legend --state=active --type=service,socket,timer | cut -d' ' -f1
}
new_since() { # <file with the earlier lines> <command>
    $2 | sort | comm -13 "$1" -
}

disable_new_units() {
    [ -e "$work/complete" ] || return 0
    new_since "$work/running" running_units | while read -r unit; do
        case $unit in
            user@*|session-*|apt-*|man-db.*|dpkg-*) ;; # not started by the packages
            *) echo "stopping $unit"; systemctl stop "$unit" || true ;;
        esac
    done
    new_since "$work/links" boot_links | while read -r link; do
        name=${link##*/}
        case $link in
            /etc/rc*) update-rc.d "$(echo "$name" | sed 's/^S[0-9]*//')" disable ;;
            # Without systemd: its helper, which expects to be called by a package.
            *) systemctl disable "$name" ||
                DPKG_MAINTSCRIPT_PACKAGE=cargo-stack deb-systemd-helper disable "$name" ;;
        esac >/dev/null 2>&1 || true
    done
    left=$(new_since "$work/links" boot_links)
    [ -z "$left" ] || echo "still started at boot: $left"
}

restore # after a killed run
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

boot_links | sort >"$work/links"
running_units | sort >"$work/running"
touch "$work/complete"

# invoke-rc.d runs it before it starts anything. 101 forbids the start.
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
    chmod 755 "$policy"
fi

install() {
    apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=600 "$@"
}
case " $* " in
    *" postgresql-"*)
        # This package has the setting, and creates no cluster by itself.
        install postgresql-common
        cp -p "$clusters" "$saved"
        printf '\ncreate_main_cluster = false\n' >>"$clusters"
        ;;
esac
install "$@"
