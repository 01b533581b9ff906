Feature: Several shards in one worker
  A model is often more than one shard. Each is sealed, tracked and verified on its own, and they share the memory
  that the worker may use.

  Background:
    Given a worker that may use 48 MiB of device memory

  @FN-3.3
  Scenario: three shards sealed one after another are all tracked and used memory is their sum
    When the worker seals these models one after another
      | id       | bytes   |
      | layers-0 | 3000001 |
      | layers-1 | 4096    |
      | layers-2 | 1       |
    Then the worker has the shards "layers-0, layers-1, layers-2"
    And the device memory in use is what the shards take
    And what the audit trail tells of memory taken adds up to what was in use, and all of it was given back

  @FN-2.2
  Scenario: shards verify independently
    Given the worker has sealed these models
      | id       | bytes   |
      | layers-0 | 3000001 |
      | layers-1 | 4096    |
      | layers-2 | 600001  |
    When the worker verifies "layers-1"
    And the worker drops "layers-0"
    Then "layers-1" verifies
    And "layers-2" verifies
    And the audit trail tells 2 verifications of "layers-1", 1 of "layers-2" and 0 of "layers-0"

  @EX-2.1
  Scenario: one tampered shard among three fails and the other two still verify
    Given the worker has sealed these models
      | id       | bytes   |
      | layers-0 | 3000001 |
      | layers-1 | 600001  |
      | layers-2 | 4096    |
    When bit 3 of byte 555555 of "layers-1" changes in device memory
    And the worker verifies all its shards together
    Then "layers-1" is found changed, and "layers-0, layers-2" are found as they were sealed
    And there is no permit for the model
    And the audit trail tells 1 verification of "layers-0", 1 of "layers-2" and 0 of "layers-1"

  @EX-1.1
  Scenario: shards of different sizes report their own sizes
    When the worker seals these models one after another
      | id       | bytes   |
      | layers-0 | 1       |
      | layers-1 | 4097    |
      | layers-2 | 2097153 |
    Then these sizes are reported by the handle, by its JSON and by a verification
      | id       | bytes   |
      | layers-0 | 1       |
      | layers-1 | 4097    |
      | layers-2 | 2097153 |

  @FN-3.4
  Scenario: the shard that no longer fits is refused and the earlier ones stay valid
    Given the worker has sealed these models
      | id       | bytes   |
      | layers-0 | 3000001 |
      | layers-1 | 600001  |
    When the worker seals a model of one byte more than what is available as "layers-2"
    Then it is refused for want of device memory, with what it needs and what is available
    And the worker has the shards "layers-0, layers-1"
    And the device memory in use is what the shards take
    And "layers-0" verifies
    And "layers-1" verifies
