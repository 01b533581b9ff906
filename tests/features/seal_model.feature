Feature: Sealing a model
  Before a worker serves a model it seals it: the weights are copied into device memory, frozen there,
  measured where they lie, and signed for. What can't be sealed is refused before anything is read or taken.

  Background:
    Given a worker that may use 48 MiB of device memory

  @FN-2.1 @FN-2.3 @EX-1.1
  Scenario: a model that fits is sealed and reports id, device, size and both digests
    When the worker seals a model of 600001 bytes as "llama-8b:layers-0"
    Then "llama-8b:layers-0" reports its id, the worker's device and 600001 bytes
    And its content digest is what SHA-256 gives for the model's bytes
    And its verity digest is what fs-verity gives for the model's bytes
    And the device memory in use is what the shards take
    And the audit trail tells that "llama-8b:layers-0" was sealed, with that device, size and digests

  @FN-4.2 @IV-003 @VU-5
  Scenario: a path-traversal id is refused and nothing is audited as sealed
    When the worker seals a model of 4096 bytes as "../../models/llama"
    Then the id is refused, and the refusal says what an id may be
    And no device memory is in use
    And the audit trail tells of nothing that was allocated or sealed

  @IV-005 @VU-6
  Scenario: an id with a NUL is refused likewise
    When the worker seals a model of 4096 bytes as "llama␀layers"
    Then the id is refused, and the refusal says what an id may be
    And no device memory is in use
    And the audit trail tells of nothing that was allocated or sealed

  @VP-004 @RP-004
  Scenario: a model larger than what is free is refused with needed and available
    When the worker seals a model of one byte more than what is available as "too-large"
    Then it is refused for want of device memory, with what it needs and what is available
    And not a byte of the model was read
    And no device memory is in use
    And the audit trail tells that "too-large" was refused, and of nothing that was allocated or sealed

  @RP-001 @EX-1.3
  Scenario: a model that fills the capacity exactly is sealed
    When the worker seals a model of as many bytes as are available as "exact"
    Then "exact" verifies
    And nothing is available any more
    And a model of 1 byte is refused for want of device memory
    And "exact" verifies

  @FN-4.3 @MS-003
  Scenario: an empty model is refused
    When the worker seals a model of 0 bytes as "empty"
    Then it is refused because there is nothing to seal
    And no device memory is in use
    And the audit trail tells that "empty" was refused, and of nothing that was allocated or sealed
