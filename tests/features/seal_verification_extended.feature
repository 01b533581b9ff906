Feature: How long a seal is good for
  A worker may accept seals of a certain age only, by a clock that nobody can set back unnoticed, and accepts none
  at all once it has met a shard that is not what was sealed.

  Background:
    Given a worker that may use 48 MiB of device memory
    And it accepts seals for 60 minutes, by a clock that stands until it is moved

  @CI-007
  Scenario: a fresh shard verifies at once
    When the worker seals a model of 600001 bytes as "weights"
    And the worker verifies "weights"
    Then the report has the size and the verity digest that "weights" was sealed with
    And the permit gives the device address out

  @FR-1
  Scenario: a shard verifies after time has passed, within the allowed age
    Given the worker has sealed a model of 600001 bytes as "weights"
    When 60 minutes pass
    And the worker verifies "weights"
    Then the report has the size and the verity digest that "weights" was sealed with
    And "weights" reports that it was sealed 60 minutes ago

  @FR-1
  Scenario: a record older than the allowed age is refused
    Given the worker has sealed a model of 600001 bytes as "weights"
    When 61 minutes pass
    And the worker verifies "weights"
    Then it is refused because its seal is 61 minutes old, and 60 are allowed
    And the worker has not stopped
    And the audit trail tells that "weights" was refused, and of nothing that was verified

  @EX-2.2
  Scenario: a record without a tag is refused as not sealed
    Given the worker has sealed a model of 600001 bytes as "weights"
    When somebody takes the tag out of the record of "weights"
    Then the record can't be read, for it has no tag
    When somebody puts zeros in the place of the tag in the record of "weights"
    Then the record can't be read, for it was never sealed
    When the worker verifies "weights"
    Then the audit trail tells that "weights" was verified, after it was sealed

  @CI-007
  Scenario: after a failed verification the manager is stopped and issues no permit for any shard
    Given the worker has sealed a model of 600001 bytes as "weights"
    And the worker has sealed a model of 4096 bytes as "other"
    When bit 0 of byte 600000 of "weights" changes in device memory
    And the worker verifies "weights"
    Then "weights" is found changed in block 146 alone
    And the worker has stopped
    And the worker permits neither "weights" nor "other", alone or together
    And it seals nothing more
    And "other" is still found to be as it was sealed
    And the audit trail tells that the worker stopped, after verifying "weights" failed
