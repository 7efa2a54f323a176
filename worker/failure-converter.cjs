/**
 * Failures whose messages and stack traces are payloads, so that the codec encrypts them. The SDK loads it by its path, into the worker and
 * into the workflow bundle; only where there is a codec key, because without one the Temporal UI could not show them.
 */
const { DefaultFailureConverter } = require('@temporalio/common/lib/converter/failure-converter');

exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
