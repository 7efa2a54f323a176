#!/bin/sh
# Makes the namespace and registers guestflow's search attributes (contract/names.ts; a test holds the two together). Safe to run again.
set -eu

# Runs it again until it succeeds, for a minute at most.
repeat() {
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || exit 1
    sleep 2
  done
}

# The port is open before the server serves.
repeat temporal operator cluster health

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" > /dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

# A namespace that was just made is known to the frontend some seconds later.
repeat temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" > /dev/null
known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE")
for name in GuestflowGuest GuestflowDom0 GuestflowPlan GuestflowPhase GuestflowOrder GuestflowCustomer; do
  case $known in
    *"$name"*) ;;
    *) temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type Keyword ;;
  esac
done
