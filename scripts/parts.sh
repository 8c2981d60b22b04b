#!/usr/bin/env bash
# Installs what the tests run against beside Go: a JRE and Maven, the jars of Apache Kafka, redis-server. Idempotent: what is
# there is left alone, and the jars stay in .cache/kafka between runs. Debian and Ubuntu; elsewhere install java (17 or newer),
# mvn, redis-server and redis-cli by hand and run it all the same.
set -euo pipefail

cd "$(dirname "$0")/.."
kafka_version=4.3.1
kafka_dir=.cache/kafka/$kafka_version

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=()
if ! have java; then missing+=(java); fi
if ! have mvn; then missing+=(maven); fi
if ! have redis-server; then missing+=(redis-server); fi
if ! have redis-cli; then missing+=(redis-tools); fi

if [ ${#missing[@]} -gt 0 ]; then
	if ! have apt-get; then
		echo "parts: missing ${missing[*]}, and there is no apt-get here: install them by hand" >&2
		exit 1
	fi
	echo "parts: installing ${missing[*]}"
	as_root apt-get update -qq </dev/null
	for i in "${!missing[@]}"; do
		if [ "${missing[$i]}" = java ]; then
			missing[i]=default-jre-headless
			if apt-cache show openjdk-17-jre-headless >/dev/null 2>&1; then missing[i]=openjdk-17-jre-headless; fi
		fi
	done
	# The tests start their own servers: one that the package starts would only take memory and the usual port.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
		as_root chmod +x $policy
		trap 'as_root rm -f '$policy EXIT
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
fi

if [ ! -e "$kafka_dir/done" ]; then
	echo "parts: fetching the jars of Kafka $kafka_version"
	rm -rf "$kafka_dir"
	mkdir -p "$kafka_dir"
	mvn -B -q -f scripts/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory="$PWD/$kafka_dir/dist" </dev/null
	touch "$kafka_dir/done"
fi

echo "parts: $(java -version 2>&1 | head -n 1), Kafka $kafka_version, $(redis-server --version | cut -d' ' -f1-3)"
