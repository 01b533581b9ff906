Feature: Going on after a refusal
  A refused request costs nothing: what was taken for it is given back, and the next request is served.

  Background:
    Given a worker that may use 48 MiB of device memory

  @FN-3.4
  Scenario: a refused oversized model does not stop the next one that fits
    When the worker seals a model of one byte more than what is available as "too-large"
    Then it is refused for want of device memory, with what it needs and what is available
    When the worker seals a model of 600001 bytes as "fits"
    Then "fits" verifies
    And the device memory in use is what the shards take
    And the audit trail tells that "too-large" was refused, and then that "fits" was sealed

  @IV-003
  Scenario: after an id was refused a valid one is sealed
    When the worker seals a model of 4096 bytes as "models/llama"
    Then the id is refused, and the refusal says what an id may be
    When the worker seals a model of 4096 bytes as "models:llama"
    Then "models:llama" verifies
    And the device memory in use is what the shards take

  @MS-004
  Scenario: after an empty model was refused a real one is sealed
    When the worker seals a model of 0 bytes as "weights"
    Then it is refused because there is nothing to seal
    When the worker seals a model of 4096 bytes as "weights"
    Then "weights" verifies
    And the device memory in use is what the shards take
    And the audit trail tells that "weights" was refused, and then that "weights" was sealed

  @MS-004 @EX-2.4
  Scenario: after a driver allocation failure the capacity is what it was and the next seal succeeds
    Given a driver whose answers can be changed
    And the worker has sealed a model of 600001 bytes as "before"
    When the driver refuses the next allocation for want of memory
    And the worker seals a model of 3000001 bytes as "weights"
    Then the driver was asked for memory, and it is refused as something that can be tried again
    And the capacity is what it was before
    When the worker seals a model of 3000001 bytes as "weights"
    Then "weights" verifies
    And "before" verifies
    And the device memory in use is what the shards take
