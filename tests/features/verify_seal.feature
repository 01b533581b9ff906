Feature: Verifying a sealed shard
  Before weights are used, a worker verifies the shard: that its record is the one that was signed, and that the
  device still measures the bytes that were sealed. Only that gives the device address out.

  Background:
    Given a worker that may use 48 MiB of device memory
    And the worker has sealed a model of 600001 bytes as "weights"

  @FN-2.2 @EX-1.2
  Scenario: an untouched shard verifies and the audit trail says so
    When the worker verifies "weights"
    Then the report has the size and the verity digest that "weights" was sealed with
    And the permit gives the device address out
    And the audit trail tells that "weights" was verified, after it was sealed

  @CI-002 @EX-2.1
  Scenario: a record with a changed digest is refused as critical
    When somebody changes one digit of the verity digest in the record of "weights"
    And the worker verifies "weights" against that record
    Then the record is refused as changed, which is critical
    And the worker has stopped
    And the audit trail tells that verifying "weights" failed, as something critical

  @EX-2.2 @VU-2
  Scenario: a record with a replaced tag is refused as critical
    Given the worker has sealed a model of 600001 bytes as "other"
    When somebody replaces the tag in the record of "weights" by the tag of "other"
    And the worker verifies "weights" against that record
    Then the record is refused as changed, which is critical
    And the worker has stopped
    And the audit trail tells that verifying "weights" failed, as something critical
