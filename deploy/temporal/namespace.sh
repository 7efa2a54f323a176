#!/bin/sh
# Makes the namespace and registers guestflow's search attributes (contract/names.ts; a test holds the two together). Safe to run again.
set -eu

# The port is open before the server serves.
tries=0
until temporal operator cluster health; do
  tries=$((tries + 1))
  [ "$tries" -lt 30 ] || exit 1
  sleep 2
done

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" > /dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE")
for name in GuestflowGuest GuestflowDom0 GuestflowPlan GuestflowPhase GuestflowOrder GuestflowCustomer; do
  case $known in
    *"$name"*) ;;
    *) temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type Keyword ;;
  esac
done
